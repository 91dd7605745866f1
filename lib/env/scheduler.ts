import * as z from "zod/mini";

/** What `createOrder` needs to make schedules. The AWS SDK reads region, credentials and endpoint by itself. */
export const SchedulerEnv = z.object({
  SCHEDULE_GROUP: z.string().check(z.minLength(1)),
  SCHEDULE_TARGET_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_ROLE_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_DEAD_LETTER_ARN: z.string().check(z.startsWith("arn:")),
});
export type SchedulerEnv = z.infer<typeof SchedulerEnv>;
