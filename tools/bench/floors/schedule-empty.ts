import { completionTimer } from "../../../lib/completion-timer.ts";
import { SchedulerEnv } from "../../../lib/env/scheduler.ts";

const env = SchedulerEnv.parse(process.env);
const timer = completionTimer({
  ...env,
  SCHEDULE_TARGET_ARN: env.SCHEDULE_TARGET_ARN.replace(/[^:]+$/, "emptyFloor"),
});

/** Has Scheduler invoke the empty handler, where `createOrder` has it invoke `completeOrder`. */
export async function handler({ pk, due }: { pk: string; due: number }) {
  await timer.schedule(pk, due);
  return null;
}
