import { type SchedulerServer, startScheduler } from "eventbridge-scheduler-local";
import { afterAll, beforeAll, vi } from "vitest";
import { type CompletionScheduler, createCompletionScheduler } from "../../lib/integrations/completion-scheduler.ts";

/** Nobody listens on the discard port: no order is completed behind a test's back, and no schedule can be made there. */
const NOWHERE = "http://127.0.0.1:9";

export const TIMER_ENV = {
  SCHEDULE_GROUP: "orders-test",
  SCHEDULE_TARGET_ARN: "arn:aws:lambda:eu-central-1:123456789012:function:complete-order",
  SCHEDULE_ROLE_ARN: "arn:aws:iam::123456789012:role/scheduler",
  SCHEDULE_DEAD_LETTER_ARN: "arn:aws:sqs:eu-central-1:123456789012:undelivered",
};

export interface TestTimer {
  /** The service's timer, on a scheduler of this test file's own. */
  readonly timer: CompletionScheduler;
  /** The same on a scheduler that cannot be reached. */
  readonly unreachable: CompletionScheduler;
}

/** Gives the calling test file a scheduler, to which the AWS SDK is pointed by its environment variables. */
export function useTimer(): TestTimer {
  let scheduler: SchedulerServer | undefined;
  let timers: TestTimer | undefined;

  beforeAll(async () => {
    const groups = [TIMER_ENV.SCHEDULE_GROUP];
    scheduler = await startScheduler({ lambdaUrl: NOWHERE, groups, log: () => undefined });
    vi.stubEnv("AWS_REGION", "eu-central-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
    timers = { unreachable: timerAt(NOWHERE), timer: timerAt(scheduler.url) };
  });
  afterAll(() => scheduler?.stop());

  const started = () => {
    if (timers === undefined) throw new Error("The timer runs inside hooks and tests only: read it there");
    return timers;
  };
  return {
    get timer() {
      return started().timer;
    },
    get unreachable() {
      return started().unreachable;
    },
  };
}

function timerAt(url: string): CompletionScheduler {
  vi.stubEnv("AWS_ENDPOINT_URL_SCHEDULER", url);
  return createCompletionScheduler(TIMER_ENV);
}
