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

/** An address to which a path can be appended; `fetch` takes none with credentials. */
export const BaseUrl = z
  .string()
  .check(z.refine(isBaseUrl, "must be an http or https URL without query, fragment and credentials"));

/** Where `createOrder` asks for prices. Unset or empty: nowhere, and orders have no price. */
export const InventoryEnv = z.object({ INVENTORY_URL: z.optional(z.union([z.literal(""), BaseUrl])) });
export type InventoryEnv = z.infer<typeof InventoryEnv>;

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

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === "" && !/[?#]/.test(text);
}
