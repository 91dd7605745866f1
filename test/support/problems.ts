import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { expect } from "vitest";
import { z } from "zod";
import { REQUEST_ID } from "../../lab/lambda-host/context.ts";
import { TOKEN } from "../../lab/lambda-host/environment.ts";
import type { Functions, HttpReply } from "./functions.ts";
import { dumpKeyspace } from "./keyspace.ts";
import type { LogLines } from "./log-lines.ts";
import { storeOrder } from "./orders.ts";
import type { TestRedis } from "./redis.ts";

/** Frames of a stack, what only a Redis command holds, and secrets. */
const NOT_FOR_CLIENTS = [/\bat .+:\d+:\d+/, /\bEVAL(SHA)?\b/i, /HGETALL/i, /\bXADD\b|\bZADD\b/, /command was/, TOKEN];

const Problem = z.strictObject({
  type: z.string(),
  title: z.string().min(1),
  status: z.number(),
  detail: z.string().min(20),
  code: z.string(),
  request_id: z.string(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string().min(1) })).optional(),
});

/**
 * Expects a problem document of RFC 9457 and nothing besides.
 * @param name of the problem, as docs/problems.md has it
 * @param pointers the fields that it refuses; each may be wrong in more than one way
 */
export function expectProblem(reply: HttpReply, status: number, name: string, pointers?: readonly string[]): void {
  const problem = Problem.parse(reply.body);
  expect(reply.statusCode).toBe(status);
  expect(reply.headers).toMatchObject({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  const code = name.replaceAll("-", "_");
  expect(problem).toMatchObject({ type: "about:blank", status, code, request_id: REQUEST_ID });
  expect(new Set(problem.errors?.map(({ pointer }) => pointer))).toEqual(new Set(pointers));
  expectNothingLeaks(JSON.stringify(reply));
}

/** Expects the one log line of a refused request, which has its code and nothing that was sent. */
export function expectRefusalLogged(log: LogLines, code: string, status: number, route: string): void {
  expect(log.logged).toHaveLength(1);
  expect(log.logged[0]).toMatchObject({
    level: "WARN",
    message: "Request refused",
    code,
    status,
    route,
    function_request_id: REQUEST_ID,
  });
  expectNothingLeaks(log.text);
}

/** For lines of our own failures use it on all but the stack, which only the log may show. */
export function expectNothingLeaks(text: string): void {
  for (const secret of NOT_FOR_CLIENTS) expect(text).not.toMatch(secret);
}

/** Expects `createOrder` to refuse an event: it stores nothing, calls nothing, logs one line and reveals nothing. */
export function refusal(redis: TestRedis, functions: Functions, log: LogLines) {
  return async (event: APIGatewayProxyEventV2, status: number, type: string, pointers?: readonly string[]) => {
    await storeOrder(redis.client);
    const before = await dumpKeyspace(redis.client);

    const reply = await functions.invokeHttp("createOrder", event);

    expectProblem(reply, status, type, pointers);
    expectRefusalLogged(log, type.replaceAll("-", "_"), status, "POST /orders");
    expect(log.metrics).toEqual([]);
    expect(functions.upstash.requests).toEqual([]);
    expect(functions.scheduler.requests).toEqual([]);
    expect(await dumpKeyspace(redis.client)).toEqual(before);
  };
}
