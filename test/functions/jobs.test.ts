import { expect, test } from "vitest";
import { sampleEvent } from "../../lab/lambda-host/events.ts";
import { setHandlerEnv, useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { newPk, requestRefund, statusOf, storeOrder, storeOrders } from "../support/orders.ts";
import { forbid, useRedis } from "../support/redis.ts";
import { crashPoller, pendingIds } from "../support/refunds.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const MANY = 250;

test("drainRefunds refunds orders and puts aside what cannot be refunded", async () => {
  const [pending, completed] = [await storeOrder(redis.client), await storeOrder(redis.client, "completed")];
  await requestRefund(redis.client, pending);
  await redis.client.xAdd("refund_order", "*", { note: "no pk" });
  await requestRefund(redis.client, completed);
  await requestRefund(redis.client, completed);
  const before = Date.now();

  await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));

  const refundedAt = await redis.client.hGet(`order:${pending}`, "refunded_at");
  expect(Date.parse(refundedAt ?? "")).toBeGreaterThanOrEqual(before);
  for (const pk of [pending, completed]) expect(await statusOf(redis.client, pk)).toBe("refunded");
  expect(await redis.client.xLen("refund_order")).toBe(0);
  const dead = (await redis.client.xRange("refund_order:dead", "-", "+")) ?? [];
  expect(dead.map(({ message }) => ({ ...message }))).toEqual([
    { dead_reason: "missing_pk", dead_id: expect.any(String), dead_at: expect.any(String), note: "no pk" },
  ]);
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsApplied: 2, RefundsDeadLettered: 1 }));
  expect(log.logged.slice(-2)).toMatchObject([
    { level: "WARN", message: "Refund requests were refused: see refund_order:dead" },
    { level: "INFO", message: "Refund requests settled", refunded: [pending, completed], refunded_before: [completed] },
  ]);
});

test("drainRefunds with nothing to do makes the group, writes nothing else and no log line", async () => {
  await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));

  expect(await redis.client.keys("*")).toEqual(["refund_order"]);
  expect(await redis.client.xInfoGroups("refund_order")).toMatchObject([{ name: "payment-group" }]);
  expect(log.logged).toEqual([]);
  expect(log.metrics).toEqual([expect.objectContaining({ RefundBacklog: 0, RefundDeadLetters: 0 })]);
});

test("drainRefunds that fails still reports the backlog and the dead letters", async () => {
  await redis.client.xAdd("refund_order:dead", "*", { pk: "1" });
  await requestRefund(redis.client, "1");
  await forbid(redis.client, "xpending");

  await expect(functions.invokeJob("drainRefunds", {})).rejects.toMatchObject({ code: "redis_failed" });

  expect(log.metrics).toContainEqual(
    expect.objectContaining({ RefundBacklog: 1, RefundDeadLetters: 1, RedisErrors: 1 }),
  );
});

test("drainRefunds settles and reports what it has where Redis lets it take no more, and takes that later", async () => {
  // given: what Upstash does at 1,000 pending entries (https://upstash.com/docs/redis/troubleshooting/stream_pel_limit)
  const [first = "", held = "", fresh = ""] = await storeOrders(redis.client, 3);
  await requestRefund(redis.client, first);
  await functions.invokeJob("drainRefunds", {});
  await requestRefund(redis.client, held);
  await crashPoller(redis.client);
  await requestRefund(redis.client, fresh);
  const allow = await forbid(redis.client, "xreadgroup");

  // when
  await expect(functions.invokeJob("drainRefunds", {}, () => 45_000)).rejects.toMatchObject({ code: "redis_failed" });

  // then
  expect(await statusOf(redis.client, held)).toBe("refunded");
  expect(await statusOf(redis.client, fresh)).toBe("pending");
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsApplied: 1, RefundBacklog: 1 }));

  // when
  await allow();
  await functions.invokeJob("drainRefunds", {}, () => 45_000);

  // then
  expect(await statusOf(redis.client, fresh)).toBe("refunded");
});

test("a request that was trimmed while a dead poller held it is reported though the first reply that names it is lost", async () => {
  // given: a drain that has brought the script into the cache
  await functions.invokeJob("drainRefunds", {});
  const id = await requestRefund(redis.client, newPk());
  await crashPoller(redis.client);
  await redis.client.xTrim("refund_order", "MAXLEN", 0);
  functions.upstash.loseNextReply();

  await functions.invokeJob("drainRefunds", {});

  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsTrimmed: 1 }));
  expect(log.logged).toMatchObject([{ level: "ERROR", count: 1, first: [id] }]);
  expect(await pendingIds(redis.client)).toEqual([]);
});

test("a request that was trimmed before its dead letter is reported though the first reply that names it is lost", async () => {
  // given: a drain that has brought both scripts into the cache
  await requestRefund(redis.client, "malformed");
  await functions.invokeJob("drainRefunds", {});
  const id = await requestRefund(redis.client, "malformed");
  functions.upstash.answerWith(async (call) => {
    const reply = await call.forward();
    await redis.client.xTrim("refund_order", "MAXLEN", 0);
    functions.upstash.loseNextReply();
    await call.answer(reply);
  });

  await functions.invokeJob("drainRefunds", {});

  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsTrimmed: 1 }));
  expect(log.logged.at(-1)).toMatchObject({ level: "ERROR", count: 1, first: [id] });
  expect(await pendingIds(redis.client)).toEqual([]);
});

test("under steady traffic drainRefunds ends after a batch that is not full, and counts what arrived as not left", async () => {
  const ask = async () => requestRefund(redis.client, await storeOrder(redis.client));
  functions.upstash.answerWith(async (call) => {
    await ask();
    const reply = await call.forward();
    await ask();
    await call.answer(reply);
  });
  let calls = 0;

  await functions.invokeJob("drainRefunds", {}, () => (++calls < 20 ? 45_000 : 0));

  expect(log.metrics.flatMap(({ RefundBacklog }) => RefundBacklog)).toEqual([0]);
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsApplied: expect.anything() }));
});

test.for<[string, string, () => Promise<string>]>([
  ["a refund that Redis refuses", "hset", () => storeOrder(redis.client)],
  ["a dead letter that Redis refuses", "xadd", async () => newPk()],
])("%s is left behind, and counted", async ([, command, pk]) => {
  await requestRefund(redis.client, await storeOrder(redis.client, "refunded"));
  await requestRefund(redis.client, await pk());
  await forbid(redis.client, command);

  await functions.invokeJob("drainRefunds", {});

  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundBacklog: 1, RefundFailures: 1 }));
  expect(log.logged.at(-1)).toMatchObject({ level: "ERROR", errors: [expect.any(String)] });
});

test("a stream whose highest id was used takes requests again, and the log says so", async () => {
  const highest = "18446744073709551615-18446744073709551615";
  const [first, later] = [await storeOrder(redis.client), await storeOrder(redis.client)];
  await redis.client.xAdd("refund_order", highest, { pk: first });
  await expect(requestRefund(redis.client, later)).rejects.toThrow(/ID/);

  await functions.invokeJob("drainRefunds", {});
  await functions.invokeJob("drainRefunds", {});

  expect(log.logged.at(-1)).toMatchObject({
    level: "ERROR",
    message: "refund_order took no more requests: it was made anew",
  });
  await requestRefund(redis.client, later);
  await functions.invokeJob("drainRefunds", {});
  for (const pk of [first, later]) expect(await statusOf(redis.client, pk)).toBe("refunded");
});

test("drainRefunds names a request that it could not settle, and why", async () => {
  const pk = await storeOrder(redis.client);
  const id = await requestRefund(redis.client, pk);
  await forbid(redis.client, "hset");

  await functions.invokeJob("drainRefunds", {});

  expect(log.logged.at(-1)).toMatchObject({ level: "ERROR", requests: [{ id, pk }], errors: [expect.any(String)] });
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundFailures: 1 }));
});

test("sweepOrders stops at a batch in which every order fails, says why, and completes them when it can", async () => {
  // given
  await storeOrders(redis.client, MANY);
  const allow = await forbid(redis.client, "hset");

  // when
  await functions.invokeJob("sweepOrders", {});

  // then
  expect(log.metrics).toContainEqual(expect.objectContaining({ OverdueOrders: MANY, CompletionFailures: 200 }));
  expect(log.logged).toMatchObject([
    { message: "Orders could not be completed: they stay pending", pks: { length: 200 }, errors: [/hset/i] },
  ]);
  expect(await redis.client.xLen("order_completed")).toBe(0);

  // when
  await allow();
  await functions.invokeJob("sweepOrders", {});

  // then
  expect(await redis.client.xLen("order_completed")).toBe(MANY);
  expect(log.metrics).toContainEqual(expect.objectContaining({ OrdersCompletedBySweep: 200 }));
});

test("sweepOrders counts and names what is trimmed before a group has read it, even if the reply to that is lost", async () => {
  setHandlerEnv("COMPLETED_STREAM_MAX_LENGTH", "1000");
  await Promise.all(
    Array.from({ length: 1_500 }, (_, n) => redis.client.xAdd("order_completed", "*", { n: String(n) })),
  );
  for (const group of ["reads-all", "abandoned"]) await redis.client.xGroupCreate("order_completed", group, "0");
  const read = (group: string, COUNT: number) =>
    redis.client.xReadGroup(group, "consumer", { key: "order_completed", id: ">" }, { COUNT, NOACK: true });
  await read("reads-all", 1_500);
  await read("abandoned", 100);
  functions.upstash.answerWith(async (call) => {
    const reply = await call.forward();
    if (String(reply.content).includes("abandoned")) {
      functions.upstash.reset();
      call.reset();
    } else await call.answer(reply);
  });

  await functions.invokeJob("sweepOrders", {});

  expect(await redis.client.xLen("order_completed")).toBe(1_000);
  expect(log.metrics).toContainEqual(expect.objectContaining({ AnnouncementsLost: 400 }));
  expect(log.logged).toMatchObject([{ level: "ERROR", group: "abandoned", lost: 400 }]);
});

test("sweepOrders makes order_completed, logs nothing where nothing is overdue, and reports how far its slowest consumer is behind", async () => {
  await functions.invokeJob("sweepOrders", {});
  expect(log.logged).toEqual([]);
  await redis.client.xGroupCreate("order_completed", "inventory", "$");
  await storeOrders(redis.client, 3);
  await functions.invokeJob("sweepOrders", {});

  expect(log.metrics.flatMap(({ ConsumerLag }) => ConsumerLag)).toEqual([0, 3]);
});
