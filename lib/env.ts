import * as z from "zod/mini";

/** What every function that reads or writes Redis needs: the REST address and token of an Upstash database. */
export const RedisEnv = z.object({
  UPSTASH_REDIS_REST_URL: z.url(),
  UPSTASH_REDIS_REST_TOKEN: z.string().check(z.minLength(1)),
});
export type RedisEnv = z.infer<typeof RedisEnv>;

/** What `createOrder` needs to make schedules. The AWS SDK reads region, credentials and endpoint by itself. */
export const SchedulerEnv = z.object({
  SCHEDULE_GROUP: z.string().check(z.minLength(1)),
  SCHEDULE_TARGET_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_ROLE_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_DEAD_LETTER_ARN: z.string().check(z.startsWith("arn:")),
});
export type SchedulerEnv = z.infer<typeof SchedulerEnv>;

/**
 * Reads a part of the environment at cold start.
 * @throws Error that names every variable that is missing or malformed, and no value.
 */
export function readEnv<Env extends z.ZodMiniType>(schema: Env): z.output<Env> {
  const env = schema.safeParse(process.env);
  if (env.success) return env.data;
  const names = env.error.issues.map((issue) => issue.path.join("."));
  throw new Error(`Missing or malformed environment variables: ${names.join(", ")}`);
}
