import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { expect } from "vitest";
import type { Functions } from "./functions.ts";
import { dumpKeyspace } from "./keyspace.ts";
import type { LogLines } from "./log-lines.ts";
import { storeOrder } from "./orders.ts";
import { expectProblem, expectRefusalLogged } from "./problems.ts";
import type { TestRedis } from "./redis.ts";

/** A check that `createOrder` refuses an event: nothing is stored, nobody is asked, one line is logged, nothing told. */
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
