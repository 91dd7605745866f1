import { startUpstashGateway } from "upstash-rest-gateway";
import { describe, expect, onTestFinished, test } from "vitest";
import { timeoutMs } from "../../../infra/serverless-yml.ts";
import { runCommand } from "../../../lib/redis/commands.ts";
import { NEW, RECLAIM_IDLE_MS, readRefundsCommand } from "../../../lib/refunds/drain-refunds.ts";
import { newPk, requestRefund, requestRefunds } from "../../support/orders.ts";
import { addRequest, crashPoller, GROUP, pendingIds, readBatch } from "../../support/refunds.ts";
import { redisAt, useStore } from "../../support/store.ts";

const END = "";
const OPEN = 0;
const RECREATED = 1;
const CLOSED = 2;
const LAST_PK = newPk();
const HIGHEST_ID = "18446744073709551615-18446744073709551615";

const store = useStore();

test.for<[string, (string | Buffer)[], string]>([
  ["of 27 characters is none of an order", ["pk", "A".repeat(27)], ""],
  ["of 26 bytes that are no text stays in Redis", ["pk", Buffer.alloc(26, 0xff)], ""],
  [
    "after 4,999 other fields is found",
    [...Array.from({ length: 4_999 }, () => ["f", "v"]).flat(), "pk", LAST_PK],
    LAST_PK,
  ],
])("a pk %s", async ([, fields, pk]) => {
  const id = await addRequest(store.client, fields);

  expect(await readBatch(store)).toEqual([[[id, pk]], [], 1, END, OPEN]);
});

test.for([">", "0-0"])("a stream that is something else is an error, from '%s'", async (from) => {
  await store.client.set("refund_order", "other");

  await expect(readBatch(store, from)).rejects.toMatchObject({
    code: "redis_failed",
    cause: { message: expect.stringMatching(/^WRONGTYPE/) },
  });
});

test("what a poller holds is left alone for as long as it can run", async () => {
  await requestRefund(store.client, newPk());
  await crashPoller(store.client, timeoutMs("drainRefunds"));

  expect(await readBatch(store)).toEqual([[], [], 1, END, OPEN]);
});

test("what a crashed poller left is found behind 1,000 entries that a live poller holds", async () => {
  const held = await requestRefunds(store.client, Array.from({ length: 1_000 }, newPk));
  await crashPoller(store.client, 0, "live");
  const id = await requestRefund(store.client, newPk());
  await store.client.xReadGroup(GROUP, "dead", { key: "refund_order", id: ">" });
  await store.client.sendCommand([
    ...["XCLAIM", "refund_order", GROUP, "dead", "0", id, "IDLE", String(RECLAIM_IDLE_MS), "JUSTID"],
  ]);

  const [entries] = await readBatch(store);

  expect(entries.map(([found]) => found)).toEqual([id]);
  expect(await pendingIds(store.client)).toHaveLength(held.length + 1);
});

describe("a script blocks the database, so one read has few requests of a megabyte", () => {
  const BYTES = 1_000_000;
  const COUNT = 20;

  const addLarge = () =>
    Promise.all(Array.from({ length: COUNT }, () => addRequest(store.client, ["note", Buffer.alloc(BYTES)])));

  test.for<[string, () => Promise<void>, string]>([
    ["new ones", async () => {}, ">"],
    ["those that a poller left pending", () => crashPoller(store.client), ">"],
    [
      "those that no run holds",
      async () => {
        await crashPoller(store.client);
        await store.client.xAck("refund_order", GROUP, await pendingIds(store.client));
      },
      "0-0",
    ],
  ])("%s", async ([, arrange, from]) => {
    const ids = await addLarge();
    await arrange();

    let next = from;
    const read: string[] = [];
    while (next !== END) {
      const [entries, , length, following] = await readBatch(store, next);
      expect(entries.length).toBeLessThanOrEqual(8);
      expect(length).toBe(COUNT);
      read.push(...entries.map(([id]) => id));
      next = following;
    }

    expect(read).toEqual(ids);
  });
});

test("what was handed out before Redis refuses to hand out more is returned", async () => {
  const gateway = await startUpstashGateway({
    redisUrl: store.redisUrl,
    token: store.token,
    limits: { pendingPerConsumer: 20 },
  });
  onTestFinished(() => gateway.stop());
  const ids = await requestRefunds(store.client, Array.from({ length: 30 }, newPk));
  const limited = redisAt(gateway.url, store.token);

  const [entries, , , next] = await runCommand(limited, readRefundsCommand(NEW));
  expect(entries.map(([id]) => id)).toEqual(ids.slice(0, 16));
  expect(next).toBe(NEW);

  await expect(runCommand(limited, readRefundsCommand(NEW))).rejects.toMatchObject({
    cause: { message: expect.stringContaining("XReadGroup is cancelled") },
  });
});

test("requests that no run holds are read past those that one does, and past new ones", async () => {
  const ids = await requestRefunds(store.client, Array.from({ length: 40 }, newPk));
  await crashPoller(store.client, 0);
  const free = ids.filter((_, index) => index % 20 === 19);
  await store.client.xAck("refund_order", GROUP, free);

  const [entries, trimmed, length, next] = await readBatch(store, "0-0");

  expect([entries.map(([id]) => id), trimmed, length, next]).toEqual([free, [], 40, END]);
  expect(await pendingIds(store.client)).toHaveLength(38);
});

test("a trimmed request is named until it is acknowledged, and what is left beside it is claimed", async () => {
  const [trimmed = "", left = ""] = await requestRefunds(store.client, [newPk(), LAST_PK]);
  await crashPoller(store.client);
  await store.client.xDel("refund_order", trimmed);

  expect(await readBatch(store)).toEqual([[[left, LAST_PK]], [trimmed], 1, NEW, OPEN]);
  expect(await readBatch(store)).toEqual([[], [trimmed], 1, NEW, OPEN]);

  await store.client.xAck("refund_order", GROUP, trimmed);
  expect(await readBatch(store)).toEqual([[], [], 1, END, OPEN]);
});

test("a stream that had the highest id is recreated when this loses nothing", async () => {
  const pk = newPk();
  await store.client.xAdd("refund_order", HIGHEST_ID, { pk });
  expect(await readBatch(store)).toEqual([[[HIGHEST_ID, pk]], [], 1, END, CLOSED]);

  await store.client.xDel("refund_order", HIGHEST_ID);
  expect(await readBatch(store)).toEqual([[], [], 0, END, CLOSED]);

  await store.client.xAck("refund_order", GROUP, HIGHEST_ID);
  await store.client.xGroupCreate("refund_order", "another", "$");
  expect(await readBatch(store)).toEqual([[], [], 0, END, CLOSED]);

  await store.client.xGroupDestroy("refund_order", "another");
  expect(await readBatch(store)).toEqual([[], [], 0, END, RECREATED]);

  const id = await requestRefund(store.client, pk);
  expect(await readBatch(store)).toEqual([[[id, pk]], [], 1, END, OPEN]);
});
