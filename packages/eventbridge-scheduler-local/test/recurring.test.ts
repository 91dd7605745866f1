import { describe, expect, test } from "vitest";
import { parseExpression } from "../src/expression.ts";
import { eventually, saying, startHarness } from "./harness.ts";

const MINUTE_MS = 60_000;

describe("a cron expression", () => {
  test.each([
    ["cron(0 10 * * ? *)", "UTC", ["2026-12-01T10:00:00Z", "2026-12-02T10:00:00Z"]],
    ["cron(15 12 * * ? *)", "Europe/Berlin", ["2026-12-01T11:15:00Z", "2026-12-02T11:15:00Z"]],
    ["cron(0 18 ? * MON-FRI *)", "UTC", ["2026-12-01T18:00:00Z", "2026-12-02T18:00:00Z"]],
    ["cron(0 8 1 * ? *)", "UTC", ["2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"]],
    ["cron(0/15 * ? * 3 *)", "UTC", ["2026-12-01T00:00:00Z", "2026-12-01T00:15:00Z"]], // 3 is Tuesday
    ["cron(0 8 ? * 2,7 *)", "UTC", ["2026-12-05T08:00:00Z", "2026-12-07T08:00:00Z"]], // Monday and Saturday
    ["cron(0 8 ? * L *)", "UTC", ["2026-12-05T08:00:00Z", "2026-12-12T08:00:00Z"]], // Saturday
    ["cron(0 8 ? * 6L *)", "UTC", ["2026-12-25T08:00:00Z", "2027-01-29T08:00:00Z"]], // the last Friday
    ["cron(0 8 ? * 6#1 *)", "UTC", ["2026-12-04T08:00:00Z", "2027-01-01T08:00:00Z"]], // the first Friday
    ["cron(0 8 L * ? *)", "UTC", ["2026-12-31T08:00:00Z", "2027-01-31T08:00:00Z"]],
    ["cron(0 8 6W * ? *)", "UTC", ["2026-12-07T08:00:00Z", "2027-01-06T08:00:00Z"]], // the working day next to the 6th
    ["cron(0 8 29 2 ? 2027-2033)", "UTC", ["2028-02-29T08:00:00Z", "2032-02-29T08:00:00Z"]],
  ])("%s of %s is due at %j", (text, zone, times) => {
    const { next } = parseExpression(text, zone);
    const first = next(Date.parse("2026-11-30T23:59:59.500Z"), 0);
    expect([first, next((first ?? 0) + 1, 0)]).toEqual(times.map((time) => Date.parse(time)));
    expect(next(first ?? 0, 0)).toBe(first); // a time itself counts
  });
});

test("a rate begins at once, then fires again and again until its EndDate, and is gone then", async () => {
  await using harness = await startHarness();
  const EndDate = new Date(Math.ceil(Date.now() / 1000) * 1000 + 2.5 * MINUTE_MS);
  await harness.create({
    ...saying("<aws.scheduler.scheduled-time>"),
    Name: "rate",
    ScheduleExpression: "rate(1 minute)",
    EndDate,
  });
  await eventually(() => harness.lambda.invocations.length === 1);
  harness.advance(MINUTE_MS);
  await eventually(() => harness.lambda.invocations.length === 2);
  expect(await harness.exists("rate")).toBe(true);

  harness.advance(5 * MINUTE_MS);
  await eventually(async () => !(await harness.exists("rate")));

  const times = harness.lambda.invocations.map(({ payload }) => Date.parse(JSON.parse(payload)));
  expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, MINUTE_MS, 2 * MINUTE_MS]);
});

test("a rate begins at its StartDate, and a deleted one ends", async () => {
  await using harness = await startHarness();
  const StartDate = new Date(Math.ceil(Date.now() / 1000) * 1000 + 30 * MINUTE_MS);
  await harness.create({ ...saying("rate"), ScheduleExpression: "rate(1 hour)", StartDate });
  await harness.create(saying("one-time", StartDate.getTime() + MINUTE_MS));
  const payloads = await harness.fire(2, StartDate.getTime() + MINUTE_MS);
  expect(payloads).toEqual(['"rate"', '"one-time"']);

  await harness.delete("rate");
  await harness.create(saying("later", StartDate.getTime() + 120 * MINUTE_MS));
  expect(await harness.fire(3, StartDate.getTime() + 120 * MINUTE_MS)).toEqual(['"rate"', '"one-time"', '"later"']);
});

test("a delivery that is retried does not hold the next time up", async () => {
  await using harness = await startHarness({
    answer: (response, nth) => response.writeHead(nth === 1 ? 503 : 200).end(),
    retryDelayMs: () => 3_600_000,
  });
  await harness.create({ ...saying("rate"), ScheduleExpression: "rate(1 minute)" });
  await eventually(() => harness.lambda.invocations.length === 1);
  harness.advance(MINUTE_MS);
  await eventually(() => harness.lambda.invocations.length === 2);
});
