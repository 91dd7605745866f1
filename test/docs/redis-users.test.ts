import { readFile } from "node:fs/promises";
import { createClient } from "redis";
import { startUpstashGateway } from "upstash-rest-gateway";
import { expect, onTestFinished, test } from "vitest";
import { findOrder } from "../../lib/orders/find-order.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { SWEEP_GRACE_MS, sweepOrders } from "../../lib/orders/sweep-orders.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { replayDeadRefunds } from "../../lib/refunds/replay-dead-letters.ts";
import { useLogLines } from "../support/log-lines.ts";
import { newPk, requestRefund, STREAM_MAX_LENGTH, storeOrder } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const GUIDE = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");

/** The users that the guide makes, each with the words behind its name and the token of its line. */
const USERS = [...GUIDE.matchAll(/^ +ACL SETUSER (\S+) (.+)$/gm)].map(([, name = "", rules = ""]) => ({
  name,
  rules: rules.replace(/><[^>]+>/, ">its-token").split(" "),
}));

const redis = useRedis();
useLogLines();

/** Makes the user as the guide does, and gives the address that logs in as it. */
async function addressOf(user: (typeof USERS)[number] | undefined): Promise<string> {
  if (!user) throw new Error("The guide makes no such user");
  await redis.client.sendCommand(["ACL", "SETUSER", user.name, ...user.rules]);
  return redis.url.replace("redis://", `redis://${user.name}:its-token@`);
}

test("the guide makes two users: one that writes, one that reads", () => {
  expect(USERS.map(({ name }) => name)).toEqual(["orders-2", "orders-2-read"]);
});

test("the user that writes may do all that the service does", async () => {
  // given
  const gateway = await startUpstashGateway({ redisUrl: await addressOf(USERS[0]) });
  onTestFinished(() => gateway.stop());
  const service = createRedis({ UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: "local" });
  const timer = { schedule: async () => {} };
  const now = Date.now();
  // when
  const { order } = await placeOrder(service, timer, {
    request: { id: "tea-green", quantity: 2 },
    idempotencyKey: "basket-7f3a1c90e2",
    now,
  });
  await sweepOrders(
    service,
    () => now + 5_001 + SWEEP_GRACE_MS,
    STREAM_MAX_LENGTH,
    () => 50_000,
  );
  // then
  expect(await findOrder(service, order.pk)).toMatchObject({ status: "completed" });
  // when
  await requestRefund(redis.client, order.pk);
  await requestRefund(redis.client, newPk());
  await drainRefunds(service, Date.now, () => 50_000);
  // then
  expect(await findOrder(service, order.pk)).toMatchObject({ status: "refunded" });
  const letters = await redis.client.xRange("refund_order:dead", "-", "+");
  expect(await replayDeadRefunds(service, [letters?.[0]?.id ?? ""])).toEqual([1]);
});

test("the user that reads may read an order, and nothing else", async () => {
  // given
  const reader = createClient({ url: await addressOf(USERS[1]), RESP: 2, disableClientInfo: true });
  reader.on("error", () => undefined);
  await reader.connect();
  onTestFinished(() => reader.destroy());
  const pk = await storeOrder(redis.client);
  // then
  expect(await reader.hGetAll(`order:${pk}`)).toMatchObject({ pk });
  for (const command of [
    ["HGETALL", "orders:pending"],
    ["DEL", "order:none"],
    ["XLEN", "order_completed"],
  ]) {
    await expect(reader.sendCommand(command)).rejects.toThrow("NOPERM");
  }
});
