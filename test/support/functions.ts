import { GetScheduleCommand, type GetScheduleCommandOutput, SchedulerClient } from "@aws-sdk/client-scheduler";
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { type SchedulerServer, startScheduler } from "eventbridge-scheduler-local";
import { type Limits, startUpstashGateway, type UpstashGateway } from "upstash-rest-gateway";
import { afterAll, beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { expectDocumented } from "../../lab/contract.ts";
import { lambdaContext } from "../../lab/lambda-host/context.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../../lab/lambda-host/environment.ts";
import {
  type LambdaEndpoint,
  startLambdaEndpoint,
} from "../../packages/eventbridge-scheduler-local/test/lambda-endpoint.ts";
import { type HttpFront, startHttpFront } from "./http-front.ts";

type Handler = (event: unknown, context: Context) => Promise<unknown>;
const Module = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });

const HttpReply = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .optional(),
});
export type HttpReply = z.infer<typeof HttpReply>;

interface Stack {
  readonly gateway: UpstashGateway;
  readonly upstash: HttpFront;
  readonly standIn: SchedulerServer;
  readonly scheduler: HttpFront;
  readonly lambda: LambdaEndpoint;
  readonly client: SchedulerClient;
}

export interface Functions {
  /** Before the Upstash gateway. */
  readonly upstash: HttpFront;
  /** Before the Scheduler stand-in. */
  readonly scheduler: HttpFront;
  /** @param timeLeftMs what Lambda says is left of the function's time-out */
  invokeHttp(name: string, event: APIGatewayProxyEventV2, timeLeftMs?: () => number): Promise<HttpReply>;
  invokeJob(name: string, event: unknown, timeLeftMs?: () => number): Promise<void>;
  /** What AWS's own client reads of a schedule. */
  getSchedule(name: string): Promise<GetScheduleCommandOutput>;
}

/**
 * Points the handlers of the calling test file at a real Redis through the gateway, at the Scheduler stand-in, and at an
 * inventory where there is one. They read their environment when they are imported: call them through this only.
 * @param limits of the gateway, where a test wants them lower than Upstash's
 */
export function useFunctions(
  redis: { readonly url: string },
  inventory?: { readonly url: string },
  limits: Partial<Limits> = {},
): Functions {
  let running: Stack | undefined;

  beforeAll(async () => {
    running = await startStack(redis.url, limits);
    const { upstash, scheduler } = running;
    const urls = { upstashUrl: upstash.url, schedulerUrl: scheduler.url, inventoryUrl: inventory?.url ?? "" };
    Object.assign(process.env, functionEnvironment({ ...urls, skewMs: 0 }), { POWERTOOLS_METRICS_DISABLED: "false" });
    vi.resetModules();
  });
  beforeEach(() => {
    running?.upstash.reset();
    running?.scheduler.reset();
  });
  afterAll(() => running && stopStack(running));

  function stack(): Stack {
    if (!running) throw new Error("the stack runs inside hooks and tests only: read it there");
    return running;
  }

  return {
    get upstash() {
      return stack().upstash;
    },
    get scheduler() {
      return stack().scheduler;
    },
    async invokeHttp(name, event, timeLeftMs) {
      const { handler } = await load(name);
      // Every invocation has an event of its own, which middleware may change.
      const reply = HttpReply.parse(await handler(structuredClone(event), lambdaContext(name, timeLeftMs)));
      const isHead = event.requestContext.http.method === "HEAD";
      expectDocumented(isHead ? event.routeKey.replace(/^GET/, "HEAD") : event.routeKey, reply);
      return reply;
    },
    async invokeJob(name, event, timeLeftMs) {
      const { handler } = await load(name);
      await handler(event, lambdaContext(name, timeLeftMs));
    },
    getSchedule: (name) => stack().client.send(new GetScheduleCommand({ Name: name, GroupName: SCHEDULE_GROUP })),
  };
}

/** Has the handlers find this variable until the running test ends: they read their environment when they are imported. */
export function setHandlerEnv(name: string, value: string): void {
  vi.stubEnv(name, value);
  vi.resetModules();
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.resetModules();
  });
}

async function startStack(redisUrl: string, limits: Partial<Limits>): Promise<Stack> {
  const lambda = await startLambdaEndpoint();
  const gateway = await startUpstashGateway({ redisUrl, token: TOKEN, limits });
  // A delivery may fail while a test that is over stops its servers: that is no log line of the function under test.
  const standIn = await startScheduler({ lambdaUrl: lambda.url, groups: [SCHEDULE_GROUP], log: () => undefined });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  return {
    lambda,
    gateway,
    standIn,
    upstash: await startHttpFront(gateway.url),
    scheduler: await startHttpFront(standIn.url),
    client: new SchedulerClient({ endpoint: standIn.url, region: "eu-central-1", credentials, maxAttempts: 1 }),
  };
}

async function stopStack(stack: Stack): Promise<void> {
  stack.client.destroy();
  await stack.upstash.stop();
  await stack.scheduler.stop();
  await stack.gateway.stop();
  await stack.standIn.stop();
  await stack.lambda[Symbol.asyncDispose]();
}

/** @param name as in serverless.yml, such as `createOrder` of `functions/create-order.ts` */
async function load(name: string) {
  const file = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return Module.parse(await import(`../../functions/${file}.ts`));
}
