import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { declaredFunctions } from "../../infra/serverless-yml.ts";
import { sampleEvent } from "../../lab/lambda-host/events.ts";
import { readSettings } from "../../local/settings.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import {
  type LambdaEndpoint,
  startLambdaEndpoint,
  succeed,
} from "../../packages/eventbridge-scheduler-local/test/lambda-endpoint.ts";
import { useFunctions } from "../support/functions.ts";
import { useRedis } from "../support/redis.ts";
import { freePorts } from "../support/servers.ts";

/** A build and a run of a whole command on a busy machine. */
const PATIENCE_MS = 120_000;

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** The order of the samples. */
const PK = "01KASYTJ8Q9C7Y8H0R5ZT6B3WD";
const PENDING = {
  pk: PK,
  product_id: "tea-green",
  quantity: "2",
  status: "pending",
  created_at: "2026-11-23T06:00:00.000Z",
};

const HttpEvent = z.custom<APIGatewayProxyEventV2>(
  (event) => z.object({ routeKey: z.string() }).safeParse(event).success,
);
const HttpReply = z.object({ statusCode: z.number(), headers: z.record(z.string(), z.string()), body: z.string() });

const redis = useRedis();
let stack: Stack | undefined;
let lambda: LambdaEndpoint | undefined;
let ports: Record<string, string> = {};

beforeAll(async () => {
  ports = await freePorts("ORDERS_API_PORT", "ORDERS_LAMBDA_PORT", "ORDERS_SCHEDULER_PORT", "ORDERS_UPSTASH_PORT");
  stack = await startStack(readSettings({ ...ports, REDIS_URL: redis.url }));
  // The schedules that the samples make fire at it.
  lambda = await startLambdaEndpoint(succeed, Number(ports.ORDERS_LAMBDA_PORT));
});
afterAll(async () => {
  await stack?.stop();
  await lambda?.[Symbol.asyncDispose]();
});

test("there is one sample for every function, and one file for its handler", async () => {
  const declared = Object.entries(declaredFunctions);

  const samples = declared.map(([name]) => `${name}.json`);
  expect((await readdir(`${PROJECT}/events`)).toSorted()).toEqual(samples.toSorted());
  const sources = declared.map(([, { handler }]) => handler.replace(/^functions\/(.+)\.handler$/, "$1.ts"));
  expect((await readdir(`${PROJECT}/functions`)).toSorted()).toEqual(sources.toSorted());
});

test("serverless invoke local places the order of createOrder's sample", { timeout: PATIENCE_MS }, async () => {
  const args = ["serverless", "invoke", "local", "-f", "createOrder", "-p", "events/createOrder.json"];
  const { UPSTASH_REDIS_REST_URL: _url, UPSTASH_REDIS_REST_TOKEN: _token, ...inherited } = process.env;

  const { stdout } = await promisify(execFile)("npx", args, { cwd: PROJECT, env: { ...inherited, ...ports } });

  // Log lines begin with a brace too, but only the reply is laid out over many lines.
  const reply = HttpReply.parse(JSON.parse(stdout.slice(stdout.lastIndexOf("\n{\n") + 1)));
  expect(reply.statusCode).toBe(200);
  expect(JSON.parse(reply.body)).toMatchObject({ product_id: "tea-green", quantity: 2, status: "pending" });
  expect(await redis.client.keys("order:*")).toEqual([reply.headers.location?.replace("/orders/", "order:")]);
  expect(await redis.client.keys("idempotency:*")).toHaveLength(1);
});

describe("the other samples do what they show:", () => {
  const functions = useFunctions(redis);

  const statusOf = () => redis.client.hGet(`order:${PK}`, "status");

  beforeEach(async () => {
    await redis.client.hSet(`order:${PK}`, PENDING);
    await redis.client.zAdd("orders:pending", { value: PK, score: Date.now() - 66_000 });
  });

  test.for([
    ["getOrder", { statusCode: 200, body: { ...PENDING, quantity: 2 } }],
    ["unknownRoute", { statusCode: 405, headers: { allow: "GET, HEAD, OPTIONS" } }],
  ] as const)("%s replies as it should", async ([name, reply]) => {
    expect(await functions.invokeHttp(name, HttpEvent.parse(await sampleEvent(name)))).toMatchObject(reply);
  });

  test("completeOrder and sweepOrders complete an order, and drainRefunds refunds it", async () => {
    for (const name of ["completeOrder", "sweepOrders"]) {
      await redis.client.hSet(`order:${PK}`, PENDING);
      await functions.invokeJob(name, await sampleEvent(name));
      expect(await statusOf()).toBe("completed");
      await redis.client.zAdd("orders:pending", { value: PK, score: 0 });
    }

    await redis.client.xAdd("refund_order", "*", { pk: PK });
    await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));
    expect(await statusOf()).toBe("refunded");
  });
});
