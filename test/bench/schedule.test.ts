import { AwsClient } from "aws4fetch";
import { ulid } from "ulid";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { completionTimer } from "../../lib/completion-timer.ts";
import { SchedulerEnv } from "../../lib/env/scheduler.ts";
import { startScheduler } from "../../local/scheduler/server.ts";
import { functionEnvironment, SCHEDULE_GROUP } from "../lambda/environment.ts";
import { completionSchedule } from "./schedule.ts";

/** Nobody listens on the discard port: nothing is due before the test ends. */
const NOWHERE = "http://127.0.0.1:9";
const HOUR_MS = 3_600_000;

const aws = new AwsClient({
  accessKeyId: "test",
  secretAccessKey: "test",
  region: "eu-central-1",
  service: "scheduler",
});

/** What differs from one schedule of the service to the next. */
const Described = z.looseObject({
  Name: z.string(),
  Arn: z.string(),
  CreationDate: z.number(),
  LastModificationDate: z.number(),
  Target: z.looseObject({ Input: z.string() }),
});

test("the floor's schedule is the one that createOrder makes, but for name, token and input", async () => {
  const scheduler = await startScheduler({ lambdaUrl: NOWHERE, groups: [SCHEDULE_GROUP], log: () => undefined });
  onTestFinished(() => scheduler.stop());
  const environment = { name: "", upstashUrl: "", schedulerUrl: scheduler.url, inventoryUrl: "", skewMs: 0 };
  const instance = functionEnvironment(environment);
  for (const [name, value] of Object.entries(instance)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const [own, floor] = [ulid(), ulid()];
  const due = Date.now() + HOUR_MS;

  await completionTimer(SchedulerEnv.parse(instance)).schedule(own, due);
  const body = JSON.stringify(completionSchedule(floor, due));
  const created = await aws.fetch(`${scheduler.url}/schedules/${floor}`, { method: "POST", body });

  expect(created.status).toBe(200);
  const described = async (pk: string) => {
    const response = await aws.fetch(`${scheduler.url}/schedules/${pk}?groupName=${SCHEDULE_GROUP}`);
    const { Name, Arn, CreationDate, LastModificationDate, Target, ...rest } = Described.parse(await response.json());
    const { Input, ...target } = Target;
    expect([Name, JSON.parse(Input)]).toEqual([pk, { pk }]);
    return { ...rest, Target: target };
  };
  const ofFloor = await described(floor);
  expect(ofFloor).toEqual(await described(own));
  expect(ofFloor).toHaveProperty("ScheduleExpression");
});
