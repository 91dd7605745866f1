import type { RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { type Command, MAX_PIPELINE_MS, runCommand } from "../../lib/redis/commands.ts";
import { INSTANCE_FAULTS, passOn } from "../chaos/call-faults.ts";
import { startProxy } from "../chaos/proxy.ts";
import { REDIS_FAULTS } from "../chaos/redis-faults.ts";
import { newPk, STREAM_MAX_LENGTH } from "../support/orders.ts";
import { answering, half, json, silent, text } from "../support/servers.ts";
import { redisAt, useStore } from "../support/store.ts";

const store = useStore();

const ping: Command<unknown> = { reply: z.unknown(), add: (pipeline) => pipeline.ping() };

test.for<[string, () => Promise<string>]>([
  ["never answers", silent],
  ["never ends its answer", () => answering((_request, response) => response.writeHead(200).write("["))],
])("a call to a server that %s ends within the time that it may take", async ([, server]) => {
  const redis = redisAt(await server());
  const start = performance.now();

  const call = runCommand(redis, ping);

  await expect(call).rejects.toMatchObject({ code: "redis_failed", cause: { name: "TimeoutError" } });
  expect(performance.now() - start).toBeLessThan(MAX_PIPELINE_MS);
});

test("a request carries the token and the last sync token that a reply had, so that it reads its own writes", async () => {
  const received: unknown[] = [];
  const replied = ["first", "second", undefined, "third"];
  const url = await answering((request, response) => {
    received.push([request.headers.authorization, request.headers["upstash-sync-token"]]);
    const syncToken = replied[received.length - 1];
    if (syncToken !== undefined) response.setHeader("upstash-sync-token", syncToken);
    json(200, [{ result: "PONG" }])(request, response);
  });
  const redis = redisAt(url, "the-token");

  for (const _ of replied) await runCommand(redis, ping);

  const bearer = "Bearer the-token";
  expect(received).toEqual([
    [bearer, undefined],
    [bearer, "first"],
    [bearer, "second"],
    [bearer, "second"],
  ]);
});

test.for<[string, RequestListener]>([
  ["a connection that is cut", (request) => request.socket.destroy()],
  ["too many requests", json(429, { error: "ERR busy" })],
  ["a failing database", json(500, { error: "ERR busy" })],
  ["a proxy's page", text(503, "<html>")],
  ["half a reply", half("[")],
])("%s is met with another send, which may succeed", async ([, fail]) => {
  let requests = 0;
  const url = await answering((request, response) => {
    requests += 1;
    if (requests === 1) fail(request, response);
    else json(200, [{ result: 1 }])(request, response);
  });

  expect(await runCommand(redisAt(url), ping)).toBe(1);
  expect(requests).toBe(2);
});

test("a database that goes on failing is sent a handful of requests, and the last failure is told", async () => {
  let requests = 0;
  const url = await answering((request, response) => {
    requests += 1;
    json(500, { error: "ERR busy" })(request, response);
  });

  const call = runCommand(redisAt(url), ping);

  await expect(call).rejects.toMatchObject({ code: "redis_failed", cause: { message: "ERR busy" } });
  expect(requests).toBeGreaterThan(1);
  expect(requests).toBeLessThanOrEqual(5);
});

test.for(["WRONGPASS invalid or missing auth token", "NOPERM this user has no permissions", "Unauthorized"])(
  "a refused token is not sent again: %s",
  async (error) => {
    let requests = 0;
    const url = await answering((request, response) => {
      requests += 1;
      json(401, { error })(request, response);
    });

    await expect(runCommand(redisAt(url), ping)).rejects.toMatchObject({
      code: "redis_failed",
      cause: { message: error },
    });

    expect(requests).toBe(1);
  },
);

test("each fault that the fault suite knows is survived, and what was asked for is done once", async () => {
  const faults = Object.entries({ ...REDIS_FAULTS, frozen_for_a_while: INSTANCE_FAULTS.frozen_for_a_while });
  const outcomes = await Promise.all(
    faults.map(async ([name, strike]) => {
      let calls = 0;
      const proxy = await startProxy(store.url, async (call) => {
        calls += 1;
        await (calls === 1 ? strike : passOn)({ call, instance: undefined });
      });
      onTestFinished(() => proxy.stop());
      const redis = redisAt(proxy.url, store.token);
      const pk = newPk();
      await store.client.hSet(`order:${pk}`, { pk, product_id: "tea", quantity: "1", status: "pending" });

      await completeOrder(redis, { pk }, 0, STREAM_MAX_LENGTH);

      return [name, await store.client.hGet(`order:${pk}`, "status")];
    }),
  );

  expect(outcomes).toEqual(faults.map(([name]) => [name, "completed"]));
  expect(await store.client.xLen("order_completed")).toBe(faults.length);
});

test("a command that fails inside a pipeline is not sent again", async () => {
  let requests = 0;
  const url = await answering((request, response) => {
    requests += 1;
    json(200, [{ error: "WRONGTYPE Operation" }])(request, response);
  });

  await expect(runCommand(redisAt(url), ping)).rejects.toMatchObject({
    cause: { message: "WRONGTYPE Operation" },
  });

  expect(requests).toBe(1);
});

test.for([{ result: "T0s=" }, [], [{ result: 1 }, { result: 2 }], null, "text", 1])(
  "an answer that is no pipeline's is an error of ours, not a crash: %o",
  async (body) => {
    const url = await answering(json(200, body));

    const completing = completeOrder(redisAt(url), { pk: newPk() }, 0, STREAM_MAX_LENGTH);

    await expect(completing).rejects.toMatchObject({
      code: expect.stringMatching(/^redis_(failed|invalid_reply)$/),
    });
  },
);
