import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readSettings } from "../../local/settings.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import {
  type LambdaEndpoint,
  startLambdaEndpoint,
  succeed,
} from "../../packages/eventbridge-scheduler-local/test/lambda-endpoint.ts";
import { readServerlessYml } from "../support/bundle.ts";
import { sampleEvent, useFunctions } from "../support/functions.ts";
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

/** Runs a sample as the README says, and gives what the command prints. */
async function invokeLocal(name: string): Promise<string> {
  const args = ["serverless", "invoke", "local", "-f", name, "-p", `events/${name}.json`];
  const { UPSTASH_REDIS_REST_URL: _url, UPSTASH_REDIS_REST_TOKEN: _token, ...inherited } = process.env;
  const env = { ...inherited, ...ports, POWERTOOLS_METRICS_DISABLED: "false" };
  const { stdout } = await promisify(execFile)("npx", args, { cwd: PROJECT, env });
  return stdout;
}

async function invokeHttp(name: string) {
  const printed = await invokeLocal(name);
  // Log lines begin with a brace too, but only the reply is laid out over many lines.
  return HttpReply.parse(JSON.parse(printed.slice(printed.lastIndexOf("\n{\n") + 1)));
}

async function seedPendingOrder(due: number): Promise<void> {
  await redis.client.hSet(`order:${PK}`, PENDING);
  await redis.client.zAdd("orders:pending", { value: PK, score: due });
}

/** A sample as API Gateway sends it. */
const sampleHttpEvent = async (name: string) => HttpEvent.parse(await sampleEvent(name));

const statusOf = (pk: string) => redis.client.hGet(`order:${pk}`, "status");

test("there is one sample for every function", async () => {
  const { functions } = await readServerlessYml();

  const samples = (await readdir(`${PROJECT}/events`)).toSorted();
  expect(samples).toEqual(
    Object.keys(functions)
      .map((name) => `${name}.json`)
      .toSorted(),
  );
});

test("createOrder places the order of its sample", { timeout: PATIENCE_MS }, async () => {
  const reply = await invokeHttp("createOrder");

  expect(reply.statusCode).toBe(200);
  const order: unknown = JSON.parse(reply.body);
  expect(order).toMatchObject({ product_id: "tea-green", quantity: 2, status: "pending" });
  expect(await redis.client.keys("order:*")).toEqual([
    expect.stringContaining(reply.headers.location?.slice(-26) ?? ""),
  ]);
  expect(await redis.client.keys("idempotency:*")).toHaveLength(1);
});

test("completeOrder completes the order of its sample", { timeout: PATIENCE_MS }, async () => {
  await seedPendingOrder(Date.now());

  const printed = await invokeLocal("completeOrder");

  expect(printed).toContain('"message":"Order completed"');
  expect(await statusOf(PK)).toBe("completed");
  expect(await redis.client.xLen("order_completed")).toBe(1);
});

describe("the other samples do what they show:", () => {
  const functions = useFunctions(redis);

  test("getOrder reads an order", async () => {
    await seedPendingOrder(Date.now());

    const reply = await functions.invokeHttp("getOrder", await sampleHttpEvent("getOrder"));

    expect(reply).toMatchObject({ statusCode: 200, body: { ...PENDING, quantity: 2 } });
  });

  test("drainRefunds refunds an order", async () => {
    await seedPendingOrder(Date.now());
    await redis.client.xAdd("refund_order", "*", { pk: PK });

    await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));

    expect(await statusOf(PK)).toBe("refunded");
  });

  test("sweepOrders completes an overdue order", async () => {
    await seedPendingOrder(Date.now() - 61_000);

    await functions.invokeJob("sweepOrders", await sampleEvent("sweepOrders"));

    expect(await statusOf(PK)).toBe("completed");
  });

  test("unknownRoute refuses a method that the path does not support", async () => {
    const reply = await functions.invokeHttp("unknownRoute", await sampleHttpEvent("unknownRoute"));

    expect(reply).toMatchObject({ statusCode: 405, headers: { allow: "GET, HEAD, OPTIONS" } });
  });
});

test("the samples that name an order name the same one", async () => {
  expect(await sampleEvent("completeOrder")).toEqual({ pk: PK });
  expect(await sampleEvent("getOrder")).toMatchObject({ rawPath: `/orders/${PK}`, pathParameters: { pk: PK } });
});

test("every file in functions is a function of serverless.yml, and the other way round", async () => {
  const { functions } = await readServerlessYml();

  const handlers = Object.values(functions).map(({ handler }) => handler);
  const sources = (await readdir(`${PROJECT}/functions`)).toSorted();
  expect(handlers.toSorted()).toEqual(sources.map((file) => `functions/${file.replace(".ts", ".handler")}`));
});
