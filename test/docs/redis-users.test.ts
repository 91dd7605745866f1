import { readFile } from "node:fs/promises";
import { createClient } from "@redis/client";
import { startUpstashGateway } from "upstash-rest-gateway";
import { expect, onTestFinished, test } from "vitest";
import { SWEEP_GRACE_MS } from "../../lib/orders/completion-delay.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { sweepOrders } from "../../lib/orders/sweep-orders.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { replayDeadLetters } from "../../lib/refunds/replay-dead-letters.ts";
import { useLogLines } from "../support/log-lines.ts";
import { newPk, requestRefund, STREAM_MAX_LENGTH, storeOrder } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const GUIDE = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");

/** The users that the guide makes: their names, and the rules of their lines with a token. */
const USERS = [...GUIDE.matchAll(/^ +ACL SETUSER (\S+) (.+)$/gm)].map(([, name = "", rules = ""]) => ({
  name,
  rules: rules.replace(/><[^>]+>/, ">its-token").split(" "),
}));

const redis = useRedis();
useLogLines();

/** Makes the user as the guide does, and gives the address that logs in as it. */
async function addressOf(name: string): Promise<string> {
  const user = USERS.find((each) => each.name === name);
  if (!user) throw new Error("The guide makes no such user");
  await redis.client.sendCommand(["ACL", "SETUSER", user.name, ...user.rules]);
  return redis.url.replace("redis://", `redis://${user.name}:its-token@`);
}

/** Runs commands with the rights of the user alone. */
async function login(name: string) {
  const client = createClient({ url: await addressOf(name), RESP: 2, disableClientInfo: true });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.destroy());
  return (line: string) => client.sendCommand(line.split(" "));
}

test("the user that writes may do all that the service does", async () => {
  // given
  const gateway = await startUpstashGateway({ redisUrl: await addressOf("orders-2") });
  onTestFinished(() => gateway.stop());
  const service = createRedis({ UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: "local" });
  const now = Date.now();
  // when
  const { order } = await placeOrder(
    { redis: service, retentionDays: 0 },
    { request: { id: "tea-green", quantity: 2 }, idempotencyKey: "basket-7f3a1c90e2", now },
  );
  const clock = () => now + 5_001 + SWEEP_GRACE_MS;
  await sweepOrders({ redis: service, completion: "scheduler", streamMaxLength: STREAM_MAX_LENGTH, clock });
  // then
  expect(await findOrder(service, order.pk)).toMatchObject({ status: "completed" });
  // when
  await requestRefund(redis.client, order.pk);
  await requestRefund(redis.client, newPk());
  await drainRefunds(service, Date.now, () => 50_000);
  // then
  expect(await findOrder(service, order.pk)).toMatchObject({ status: "refunded" });
  const letters = await redis.client.xRange("refund_order:dead", "-", "+");
  expect(await replayDeadLetters(service, [letters?.[0]?.id ?? ""])).toEqual([1]);
});

test("the user that reads may read an order, and nothing else", async () => {
  const run = await login("orders-2-read");
  const pk = await storeOrder(redis.client);

  expect(await run(`HGETALL order:${pk}`)).toContain(pk);
  for (const line of ["HGETALL orders:pending", "DEL order:none", "XLEN order_completed"]) {
    await expect(run(line)).rejects.toThrow("NOPERM");
  }
});

test("a partner may read and acknowledge completed orders and add refund requests, and nothing else", async () => {
  // given
  const [reader, refunds] = [await login("shop-a-reader"), await login("shop-a-refunds")];
  await redis.client.xGroupCreate("order_completed", "shop-a", "0", { MKSTREAM: true });
  const id = await redis.client.xAdd("order_completed", "*", { pk: newPk() });
  // then
  const entries = await reader("XREADGROUP GROUP shop-a one STREAMS order_completed >");
  expect(JSON.stringify(entries)).toContain(id);
  expect(await reader(`XACK order_completed shop-a ${id}`)).toBe(1);
  expect(await refunds("XADD refund_order * pk x")).toMatch(/^\d+-\d+$/);
  // then
  for (const line of [
    "XADD order_completed * pk x",
    "XADD refund_order * pk x",
    `XDEL order_completed ${id}`,
    "XGROUP DESTROY order_completed shop-a",
    "GET order:none",
  ]) {
    await expect(reader(line)).rejects.toThrow("NOPERM");
  }
  for (const line of [
    "XADD order_completed * pk x",
    "XRANGE refund_order - +",
    "XTRIM refund_order MAXLEN 0",
    "HGETALL order:none",
  ]) {
    await expect(refunds(line)).rejects.toThrow("NOPERM");
  }
});
