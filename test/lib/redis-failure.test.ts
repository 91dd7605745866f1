import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { redisFailure } from "../../lib/redis/failure.ts";
import { runCommand } from "../../lib/redis/pipeline.ts";
import { newPk, STREAM_MAX_LENGTH } from "../support/orders.ts";
import { answering, json, refused, silent, text } from "../support/servers.ts";
import { redisAt, useStore } from "../support/store.ts";

const TOKEN = "secret-token";
const SECRET = "secret-argument";
const ADDRESSES = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));

const store = useStore();

/** What the two ways to call Redis throw: a single command, and a pipeline. */
async function failures(url: string): Promise<unknown[]> {
  const redis = redisAt(url, TOKEN);
  const pipeline = runCommand(redis, { reply: z.unknown(), add: (commands) => commands.set(SECRET, SECRET) });
  const calls = await Promise.allSettled([findOrder(redis, newPk()), pipeline]);
  return calls.map((call) => (call.status === "rejected" ? call.reason : call));
}

/** Everything that a logger could write of an error: name, message, stack and other fields of the whole cause chain. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? "";
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== "cause");
  const fields = own.map((name) => `${name}=${JSON.stringify(Reflect.get(error, name))}`);
  return [error.name, ...fields, everythingIn(error.cause)].join("\n");
}

describe("a failed call is redis_failed, and tells nothing of command, arguments, token or body", () => {
  test.for<[string, () => Promise<string>, RegExp]>([
    ["a refused token", async () => store.url, /WRONGPASS/],
    ["a refused connection", refused, /ECONNREFUSED/],
    ["a server that never answers", silent, /TimeoutError/],
    ["a command that fails", () => answering(json(400, { error: "ERR syntax error" })), /ERR syntax error/],
    ["a page instead of JSON", () => answering(text(502, `<html>${SECRET}</html>`)), /Unable to parse/],
    ["a short text instead of JSON", () => answering(text(200, SECRET)), /Unable to parse/],
    ["JSON that is cut off", () => answering(text(200, `{"result":"${SECRET}`)), /Unable to parse/],
    ["an empty answer", () => answering(text(200, "")), /Unable to parse/],
    ["a connection that is cut", () => answering((request) => request.socket.destroy()), /fetch failed/],
  ])("%s", async ([, server, told]) => {
    for (const error of await failures(await server())) {
      expect(error).toMatchObject({ name: "OrderError", code: "redis_failed" });
      expect(everythingIn(error)).toMatch(told);
      expect(everythingIn(error)).not.toMatch(/secret|hgetall|order:|\bset\b/i);
    }
  });

  test("a refused connection to a name with several addresses names the cause", async () => {
    const { port } = new URL(await refused());
    const socket = connect({
      port: Number(port),
      host: "redis.test",
      autoSelectFamily: true,
      lookup: (_host, _options, found) => found(null, ADDRESSES),
    });
    const [cause] = await once(
      socket.on("connect", () => socket.destroy()),
      "error",
    );
    expect(cause).toMatchObject({ name: "AggregateError", message: "" });

    expect(everythingIn(redisFailure(new TypeError("fetch failed", { cause })))).toMatch(/ECONNREFUSED/);
  });

  test("a script that fails", async () => {
    await store.client.set("order_completed", SECRET);
    const pk = newPk();
    await store.client.hSet(`order:${pk}`, { pk, status: "pending", product_id: SECRET });

    const error = await completeOrder(store.redis, { pk }, 0, STREAM_MAX_LENGTH).catch((thrown: unknown) => thrown);

    expect(everythingIn(error)).toMatch(/WRONGTYPE/);
    expect(everythingIn(error)).not.toMatch(/secret/);
    expect(everythingIn(error)).not.toContain(pk);
  });
});

test.for(["text", undefined, null, { message: "secret" }])(
  "what is thrown and is no error tells nothing: %o",
  (thrown) => {
    expect(redisFailure(thrown)).toMatchObject({
      code: "redis_failed",
      cause: { message: "Something was thrown that is not an error" },
    });
  },
);
