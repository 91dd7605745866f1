import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  GetScheduleCommand,
  ResourceNotFoundException,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import { type SchedulerServerOptions, startScheduler } from "../src/server.ts";
import { type Answer, type LambdaEndpoint, startLambdaEndpoint } from "./lambda-endpoint.ts";

export interface Harness extends AsyncDisposable {
  readonly url: string;
  readonly client: SchedulerClient;
  readonly lambda: LambdaEndpoint;
  /** Every line that the server logged. */
  readonly log: readonly string[];
  stop(): Promise<void>;
  create(input: CreateScheduleCommandInput): Promise<void>;
  /** Whether the schedule of that name in group `orders` exists. */
  exists(name: string): Promise<boolean>;
  deadLetters(): Promise<unknown>;
}

export type HarnessOptions = Omit<Partial<SchedulerServerOptions>, "log"> & { readonly answer?: Answer };

/** A Scheduler server with quick retries, the real client pointed at it, and a Lambda endpoint that it invokes. */
export async function startHarness({ answer, ...options }: HarnessOptions = {}): Promise<Harness> {
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
  return {
    url: server.url,
    client,
    lambda,
    log,
    stop: () => server.stop(),
    async create(input) {
      await client.send(new CreateScheduleCommand(input));
    },
    async exists(name) {
      try {
        await client.send(new GetScheduleCommand({ Name: name, GroupName: "orders" }));
        return true;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return false;
        throw error;
      }
    },
    async deadLetters() {
      return (await fetch(`${server.url}/_local/dead-letters`)).json();
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server.stop();
      await lambda[Symbol.asyncDispose]();
    },
  };
}

/** For conditions that come true at `soon()`. */
export const PATIENT = { timeout: 25_000, interval: 20 };

export const QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:orders-dead";

/** A well-formed schedule; `at` in ms since 1970. */
export function schedule(
  name: string,
  at: number,
  changes: Partial<CreateScheduleCommandInput> = {},
): CreateScheduleCommandInput {
  return {
    Name: name,
    GroupName: "orders",
    ScheduleExpression: atExpression(at),
    FlexibleTimeWindow: { Mode: "OFF" },
    ActionAfterCompletion: "DELETE",
    ...changes,
    Target: target(changes.Target),
  };
}

export function target(changes: Partial<CreateScheduleCommandInput["Target"]> = {}) {
  return {
    Arn: "arn:aws:lambda:eu-central-1:123456789012:function:orders-dev-completeOrder",
    RoleArn: "arn:aws:iam::123456789012:role/scheduler",
    Input: '{"pk":"1"}',
    ...changes,
  };
}

export function atExpression(ms: number): string {
  return `at(${new Date(ms).toISOString().slice(0, 19)})`;
}

/** A whole second 2 to 3 s away, so that a busy machine does not find it in the past. */
export function soon(): number {
  return Math.ceil((Date.now() + 2000) / 1000) * 1000;
}

export const FAR_AWAY = Date.UTC(2099, 0, 1);

/** The error of a request that must fail. */
export async function refusal(request: Promise<unknown>): Promise<unknown> {
  try {
    await request;
  } catch (error) {
    return error;
  }
  throw new Error("the request was not refused");
}
