import { startScheduler } from "eventbridge-scheduler-local";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { atExpression, createCompletionScheduler } from "../../../lib/integrations/completion-scheduler.ts";
import { refused } from "../../support/servers.ts";

/** The last moment of the year 9999: a later one has no four-digit year. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59);

test("a schedule's time is never before the order is due, and less than a second after", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LATEST }), (due) => {
      const [, second] = /^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/.exec(atExpression(due)) ?? [];
      const late = Date.parse(`${second}Z`) - due;
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(1_000);
    }),
  );
});

test("an order that came to be overdue while Redis was slow is scheduled for the next moment, not for a past one", async () => {
  const { url, stop } = await startScheduler({ lambdaUrl: await refused(), groups: ["orders"], log: () => undefined });
  onTestFinished(stop);
  vi.stubEnv("AWS_ENDPOINT_URL_SCHEDULER", url);
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { schedule } = createCompletionScheduler({
    SCHEDULE_GROUP: "orders",
    SCHEDULE_TARGET_ARN: "arn:aws:lambda:eu-central-1:123456789012:function:complete-order",
    SCHEDULE_ROLE_ARN: "arn:aws:iam::123456789012:role/scheduler",
    SCHEDULE_DEAD_LETTER_ARN: "arn:aws:sqs:eu-central-1:123456789012:undelivered",
  });

  await expect(schedule("01ARZ3NDEKTSV4RRFFQ69G5FAV", Date.now() - 10_000)).resolves.toBeUndefined();
});
