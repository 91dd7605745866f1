import { randomUUID } from "node:crypto";
import type { Completion } from "../../lib/orders/completion-delay.ts";

/**
 * Of this run alone: a port that refuses is free for a moment, and the proxy of another run on this machine may be given
 * it. Its callers are then refused here, and no order goes into the wrong database.
 */
export const TOKEN = `test-${randomUUID()}`;
export const SCHEDULE_GROUP = "orders-test-completions";

const REGION = "eu-central-1";
const ACCOUNT = "000000000000";

/** The whole environment of an instance, as the stack of serverless.yml would give it. */
export function functionEnvironment(instance: {
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Empty in a run without prices. */
  readonly inventoryUrl: string;
  /** Who completes orders; by default schedules do. */
  readonly completion?: Completion | undefined;
  /** How far its clock is wrong, in ms. */
  readonly skewMs: number;
}): Record<string, string> {
  return {
    UPSTASH_REDIS_REST_URL: instance.upstashUrl,
    UPSTASH_REDIS_REST_TOKEN: TOKEN,
    COMPLETION: instance.completion ?? "scheduler",
    COMPLETED_STREAM_MAX_LENGTH: "1000000",
    POWERTOOLS_SERVICE_NAME: "orders",
    SCHEDULE_GROUP,
    SCHEDULE_TARGET_ARN: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:completeOrder`,
    SCHEDULE_ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/test`,
    SCHEDULE_DEAD_LETTER_ARN: `arn:aws:sqs:${REGION}:${ACCOUNT}:test`,
    AWS_ENDPOINT_URL_SCHEDULER: instance.schedulerUrl,
    INVENTORY_URL: instance.inventoryUrl,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    // Lambda has neither, and sets this time zone.
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    TZ: ":UTC",
    LAMBDA_CLOCK_SKEW_MS: String(instance.skewMs),
  };
}
