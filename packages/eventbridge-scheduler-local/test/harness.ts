import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import { vi } from "vitest";
import { type SchedulerServerOptions, startScheduler } from "../src/server.ts";
import { type Answer, startLambdaEndpoint } from "./lambda-endpoint.ts";

/** When a schedule of these tests is due: far enough away that only `fire` lets it come. */
export const AT = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;

export const QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:orders-dead";

export type Harness = Awaited<ReturnType<typeof startHarness>>;

type HarnessOptions = Omit<Partial<SchedulerServerOptions>, "log"> & { readonly answer?: Answer };

/** A Scheduler server with quick retries, the real client pointed at it, and a Lambda endpoint that it invokes. */
export async function startHarness({ answer, ...options }: HarnessOptions = {}) {
  /** Every line that the server logged. */
  const log: string[] = [];
  const lambda = await startLambdaEndpoint(answer);
  const server = await startScheduler({
    lambdaUrl: lambda.url,
    groups: ["orders"],
    retryDelayMs: () => 1,
    log: (line) => log.push(line),
    ...options,
  });
  const client = new SchedulerClient({
    endpoint: server.url,
    region: "eu-central-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  let aheadMs = 0;
  function advance(ms: number): void {
    aheadMs += ms;
    server.advance(ms);
  }
  return {
    ...server,
    advance,
    client,
    lambda,
    log,
    create: (input: CreateScheduleCommandInput) => client.send(new CreateScheduleCommand(input)),
    delete: (Name: string) => client.send(new DeleteScheduleCommand({ Name, GroupName: "orders" })),
    /** Whether the schedule of that name in group `orders` exists. */
    async exists(name: string): Promise<boolean> {
      const { Schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName: "orders", NamePrefix: name }));
      return Schedules.some(({ Name }) => Name === name);
    },
    /** Moves the server's clock to `at`, and waits for `count` invocations in all. @returns their payloads */
    async fire(count: number, at = AT): Promise<string[]> {
      advance(at - Date.now() - aheadMs);
      await eventually(() => lambda.invocations.length >= count);
      return lambda.invocations.map(({ payload }) => payload);
    },
    deadLetters: async (): Promise<unknown> => (await fetch(`${server.url}/_local/dead-letters`)).json(),
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server.stop();
      await lambda[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a condition is true. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 25_000, interval: 5 });
}

/** `2026-11-23T06:13:05`, from ms since 1970. */
export const formatted = (ms: number): string => new Date(ms).toISOString().slice(0, 19);

/** A well-formed schedule; `at` in ms since 1970. */
export function schedule(
  name: string,
  changes: Partial<CreateScheduleCommandInput> = {},
  at = AT,
): CreateScheduleCommandInput {
  return {
    Name: name,
    GroupName: "orders",
    ScheduleExpression: `at(${formatted(at)})`,
    FlexibleTimeWindow: { Mode: "OFF" },
    ActionAfterCompletion: "DELETE",
    ...changes,
    Target: target(changes.Target),
  };
}

/** The function of these tests. */
export function target(changes: Partial<CreateScheduleCommandInput["Target"]> = {}) {
  return {
    Arn: "arn:aws:lambda:eu-central-1:123456789012:function:orders-dev-completeOrder",
    RoleArn: "arn:aws:iam::123456789012:role/scheduler",
    Input: '{"pk":"1"}',
    ...changes,
  };
}

/** A schedule that says `text` to its function. */
export function saying(text: string, at?: number): CreateScheduleCommandInput {
  return schedule(text, { Target: target({ Input: JSON.stringify(text) }) }, at);
}
