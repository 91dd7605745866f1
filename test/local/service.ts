/** The local stack, with two servers in place of serverless-offline's: run by the tests of how all of it ends. */
import { once } from "node:events";
import { createServer } from "node:http";
import { CreateScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { exitOnTermination } from "../../local/process-lifecycle.ts";
import { localEnvironment, readSettings } from "../../local/settings.ts";
import { startStack } from "../../local/stack.ts";
import { freePorts } from "../support/servers.ts";

const REGION = "eu-central-1";
const SCHEDULES = 5;

const settings = readSettings(
  await freePorts(
    "ORDERS_API_PORT",
    "ORDERS_LAMBDA_PORT",
    "ORDERS_SCHEDULER_PORT",
    "ORDERS_UPSTASH_PORT",
    "ORDERS_REDIS_PORT",
  ),
);
const stack = await startStack(settings);
exitOnTermination(stack.stop);

createServer((_, response) => response.end()).listen(settings.ORDERS_API_PORT, "127.0.0.1");
/** Its functions never end. */
const lambda = createServer().listen(settings.ORDERS_LAMBDA_PORT, "127.0.0.1");
for (const signal of ["SIGINT", "SIGTERM"]) {
  // As serverless-offline: functions under way are cut off, and open connections get 5 s.
  process.on(signal, () => {
    lambda.close().closeAllConnections();
    setTimeout(() => process.exit(0), 5_000);
  });
}

const environment = localEnvironment(settings, REGION, "completeOrder");
const scheduler = new SchedulerClient({
  endpoint: `http://127.0.0.1:${settings.ORDERS_SCHEDULER_PORT}`,
  region: REGION,
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
const invoked = once(lambda, "request");
const dueMs = Date.now() + 1_500;
const timesMs = [...Array.from({ length: SCHEDULES }, () => dueMs), dueMs + 60_000];
await Promise.all(
  timesMs.map((atMs, index) =>
    scheduler.send(
      new CreateScheduleCommand({
        Name: `order-${index}`,
        GroupName: environment.SCHEDULE_GROUP,
        ScheduleExpression: `at(${new Date(atMs).toISOString().slice(0, 19)})`,
        FlexibleTimeWindow: { Mode: "OFF" },
        Target: { Arn: environment.SCHEDULE_TARGET_ARN, RoleArn: environment.SCHEDULE_ROLE_ARN, Input: "{}" },
      }),
    ),
  ),
);
await invoked;
const { ORDERS_API_PORT, ORDERS_SCHEDULER_PORT, ORDERS_UPSTASH_PORT, ORDERS_REDIS_PORT } = settings;
const ports = { api: ORDERS_API_PORT, stack: [ORDERS_SCHEDULER_PORT, ORDERS_UPSTASH_PORT, ORDERS_REDIS_PORT] };
process.stdout.write(`${JSON.stringify({ pid: process.pid, ...ports })}\n`);
