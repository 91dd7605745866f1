import * as z from "zod/mini";

/** What every function that reads or writes Redis needs: the REST address and token of an Upstash database. */
export const RedisEnv = z.object({
  UPSTASH_REDIS_REST_URL: z.url(),
  UPSTASH_REDIS_REST_TOKEN: z.string().check(z.minLength(1)),
});
export type RedisEnv = z.infer<typeof RedisEnv>;
