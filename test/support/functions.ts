import { GetScheduleCommand, type GetScheduleCommandOutput, SchedulerClient } from "@aws-sdk/client-scheduler";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { type SchedulerServer, startScheduler } from "eventbridge-scheduler-local";
import type { Limits } from "upstash-rest-gateway";
import { startUpstashGateway, type UpstashGateway } from "upstash-rest-gateway";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { z } from "zod";
import {
  type LambdaEndpoint,
  startLambdaEndpoint,
} from "../../packages/eventbridge-scheduler-local/test/lambda-endpoint.ts";
import { expectDocumented } from "./contract.ts";
import { type HttpFront, startHttpFront } from "./http-front.ts";
import { lambdaContext, REGION } from "./lambda-context.ts";

export const TOKEN = "the-token-that-no-log-shows";

export const SCHEDULE_GROUP = "orders-test-completions";

const HTTP_FUNCTIONS = {
  createOrder: () => import("../../functions/create-order.ts"),
  getOrder: () => import("../../functions/get-order.ts"),
  unknownRoute: () => import("../../functions/unknown-route.ts"),
};
const JOBS = {
  completeOrder: () => import("../../functions/complete-order.ts"),
  drainRefunds: () => import("../../functions/drain-refunds.ts"),
  sweepOrders: () => import("../../functions/sweep-orders.ts"),
};

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
  /** What the Scheduler stand-in invokes when a schedule fires. */
  readonly lambda: LambdaEndpoint;
  /** @param timeLeftMs what Lambda says is left of the function's time-out */
  invokeHttp(
    name: keyof typeof HTTP_FUNCTIONS,
    event: APIGatewayProxyEventV2,
    timeLeftMs?: () => number,
  ): Promise<HttpReply>;
  invokeJob(name: keyof typeof JOBS, event: unknown, timeLeftMs?: () => number): Promise<void>;
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
    Object.assign(process.env, environment(running), { INVENTORY_URL: inventory?.url ?? "" });
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
    get lambda() {
      return stack().lambda;
    },
    async invokeHttp(name, event, timeLeftMs) {
      const { handler } = await HTTP_FUNCTIONS[name]();
      // Every invocation has an event of its own, which middleware may change.
      const reply = HttpReply.parse(await handler(structuredClone(event), lambdaContext(name, timeLeftMs)));
      const isHead = event.requestContext.http.method === "HEAD";
      expectDocumented(isHead ? event.routeKey.replace(/^GET/, "HEAD") : event.routeKey, reply);
      return reply;
    },
    async invokeJob(name, event, timeLeftMs) {
      const { handler } = await JOBS[name]();
      await handler(event, lambdaContext(name, timeLeftMs));
    },
    getSchedule: (name) => stack().client.send(new GetScheduleCommand({ Name: name, GroupName: SCHEDULE_GROUP })),
  };
}

async function startStack(redisUrl: string, limits: Partial<Limits>): Promise<Stack> {
  const lambda = await startLambdaEndpoint();
  const gateway = await startUpstashGateway({ redisUrl, token: TOKEN, limits });
  const standIn = await startScheduler({ lambdaUrl: lambda.url, groups: [SCHEDULE_GROUP] });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  return {
    lambda,
    gateway,
    standIn,
    upstash: await startHttpFront(gateway.url),
    scheduler: await startHttpFront(standIn.url),
    client: new SchedulerClient({ endpoint: standIn.url, region: REGION, credentials, maxAttempts: 1 }),
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

function environment({ upstash, scheduler }: Stack): Record<string, string> {
  return {
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: TOKEN,
    COMPLETED_STREAM_MAX_LENGTH: "100000",
    SCHEDULE_GROUP,
    SCHEDULE_TARGET_ARN: `arn:aws:lambda:${REGION}:123456789012:function:orders-test-completeOrder`,
    SCHEDULE_ROLE_ARN: "arn:aws:iam::123456789012:role/orders-test-scheduler",
    SCHEDULE_DEAD_LETTER_ARN: `arn:aws:sqs:${REGION}:123456789012:orders-test-undelivered`,
    AWS_ENDPOINT_URL_SCHEDULER: scheduler.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    POWERTOOLS_SERVICE_NAME: "orders",
    POWERTOOLS_METRICS_DISABLED: "false",
  };
}
