import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { redisFailure } from "../../lib/redis/commands.ts";
import { newPk, STREAM_MAX_LENGTH } from "../support/orders.ts";
import { answering, half, json, refused, silent, text } from "../support/servers.ts";
import { redisAt, useStore } from "../support/store.ts";

const TOKEN = "secret-token";
const SECRET = "secret-argument";
const ADDRESSES = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));

const store = useStore();

/** The failure of one request, as the service logs it. */
async function failureAt(url: string): Promise<Error> {
  return redisAt(url, TOKEN)
    .pipeline()
    .set(SECRET, SECRET)
    .hgetall(`order:${SECRET}`)
    .exec()
    .then((reply) => expect.unreachable(`It replied ${reply}`), redisFailure);
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
    ["a status of failure without a reason", () => answering(json(503, {})), /HTTP status 503/],
    ["half an answer", () => answering(half(`[{"result":"${SECRET}`)), /aborted/],
    ["no HTTP", () => answering(({ socket }) => socket.end(`${SECRET}\r\n\r\n`)), /Parse Error/],
    ["a page instead of JSON", () => answering(text(502, `<html>${SECRET}</html>`)), /is not JSON/],
    ["a short text instead of JSON", () => answering(text(200, SECRET)), /is not JSON/],
    ["JSON that is cut off", () => answering(text(200, `{"result":"${SECRET}`)), /is not JSON/],
    ["an empty answer", () => answering(text(200, "")), /is not JSON/],
    ["a connection that is cut", () => answering((request) => request.socket.destroy()), /socket hang up/],
  ])("%s", async ([, server, told]) => {
    const error = await failureAt(await server());

    expect(error).toMatchObject({ name: "ServiceError", code: "redis_failed" });
    expect(everythingIn(error)).toMatch(told);
    expect(everythingIn(error)).not.toMatch(/secret|hgetall|order:|\bset\b/i);
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

    expect(everythingIn(redisFailure(cause))).toMatch(/ECONNREFUSED/);
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
      cause: { message: "A value that is not an Error was thrown" },
    });
  },
);
