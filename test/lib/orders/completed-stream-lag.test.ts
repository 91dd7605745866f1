import { expect, test } from "vitest";
import * as z from "zod";
import completedStreamLagLua from "../../../lib/orders/completed-stream-lag.lua" with { type: "text" };
import { runCommand, script, scriptCommand } from "../../../lib/redis/commands.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { useStore } from "../../support/store.ts";

const STREAM = "order_completed";
const HIGHEST_ID = "18446744073709551615-18446744073709551615";

const store = useStore();

const lag = () => runCommand(store.redis, scriptCommand(script(completedStreamLagLua), z.int(), [STREAM], []));
const createGroup = (group: string, id = "0") => store.client.xGroupCreate(STREAM, group, id, { MKSTREAM: true });

async function addEntries(count: number): Promise<void> {
  const add = "for n = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'pk', n) end";
  await store.client.eval(add, { keys: [STREAM], arguments: [String(count)] });
}

/** Has a group read that many entries, without the need to acknowledge them. */
async function read(group: string, count: number): Promise<void> {
  await store.client.xReadGroup(group, "consumer", { key: STREAM, id: ">" }, { COUNT: count, NOACK: true });
}

test("a stream that is missing is made, without a group and once", async () => {
  expect(await lag()).toBe(0);
  const made = await dumpKeyspace(store.client);
  expect(made[STREAM]?.content).toEqual({ entries: [], groups: [] });

  expect(await lag()).toBe(0);

  expect(await dumpKeyspace(store.client)).toEqual(made);
});

test("the lag is that of the slowest group, and measuring it changes no group", async () => {
  for (const group of ["a-fast", "b-slow", "c-fast"]) await createGroup(group);
  await addEntries(10);
  await read("a-fast", 9);
  await read("b-slow", 3);
  await read("c-fast", 9);
  const before = await dumpKeyspace(store.client);

  expect(await lag()).toBe(7);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("entries that were read and not acknowledged count as those that were not read", async () => {
  await createGroup("group");
  await addEntries(10);
  await store.client.xReadGroup("group", "consumer", { key: STREAM, id: ">" }, { COUNT: 6 });
  expect(await lag()).toBe(10);

  const [first] = (await store.client.xRange(STREAM, "-", "+")) ?? [];
  await store.client.xAck(STREAM, "group", first?.id ?? "");

  expect(await lag()).toBe(9);
});

test("entries that were trimmed before the group read them are no lag, then and later", async () => {
  await createGroup("group");
  await addEntries(10);
  await read("group", 1);
  await store.client.xTrim(STREAM, "MAXLEN", 4);
  expect(await lag()).toBe(4);

  await read("group", 1);
  expect(await lag()).toBe(3);

  await read("group", 10);
  expect(await lag()).toBe(0);
});

test("a group that was created at any id is behind by what comes after it", async () => {
  await addEntries(10);
  const entries = (await store.client.xRange(STREAM, "-", "+")) ?? [];
  await createGroup("highest", HIGHEST_ID);
  await createGroup("end", "$");
  expect(await lag()).toBe(0);

  await createGroup("middle", entries[4]?.id);

  expect(await lag()).toBe(5);
});

test("a group that lost entries and is far behind is measured by the stream, not by what Redis counts", async () => {
  await createGroup("group");
  await addEntries(30_000);
  await read("group", 1);
  await store.client.xTrim(STREAM, "MAXLEN", 12_000);

  await read("group", 100);
  expect(await lag()).toBe(11_900);

  await read("group", 5_900);
  expect(await lag()).toBeLessThanOrEqual(12_000 - 5_000);
  expect(await lag()).toBeGreaterThanOrEqual(6_000);

  await read("group", 2_000);
  expect(await lag()).toBe(4_000);
});
