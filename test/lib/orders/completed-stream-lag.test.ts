import { expect, test } from "vitest";
import * as z from "zod";
import completedStreamLagLua from "../../../lib/orders/completed-stream-lag.lua" with { type: "text" };
import { runCommand, script, scriptCommand } from "../../../lib/redis/commands.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { useStore } from "../../support/store.ts";

const store = useStore();

const STREAM = "order_completed";

const lag = () => runCommand(store.redis, scriptCommand(script(completedStreamLagLua), z.int(), [STREAM], []));
const addEntries = (count: number) =>
  Promise.all(Array.from({ length: count }, () => store.client.xAdd(STREAM, "*", { pk: "1" })));
const read = (group: string, count: number) =>
  store.client.xReadGroup(group, "consumer", { key: STREAM, id: ">" }, { COUNT: count });

test("a stream that is missing is made, without a group and once", async () => {
  expect(await lag()).toBe(0);
  const made = await dumpKeyspace(store.client);
  expect(made[STREAM]?.content).toEqual({ entries: [], groups: [] });

  expect(await lag()).toBe(0);

  expect(await dumpKeyspace(store.client)).toEqual(made);
});

test("the lag is that of the group that has read the least", async () => {
  await addEntries(10);
  for (const group of ["a-fast", "b-slow", "c-fast"]) await store.client.xGroupCreate(STREAM, group, "0");
  await read("a-fast", 9);
  await read("b-slow", 3);
  await read("c-fast", 9);

  expect(await lag()).toBe(7);
});

test("entries that were trimmed before a group read them are no lag", async () => {
  await store.client.xGroupCreate(STREAM, "group", "0", { MKSTREAM: true });
  await addEntries(10);
  await store.client.xTrim(STREAM, "MAXLEN", 4);

  expect(await lag()).toBe(4);
});

test("a lag that Redis cannot tell counts as the whole stream", async () => {
  const ids = await addEntries(10);
  await store.client.xGroupCreate(STREAM, "group", ids[4] ?? "");

  expect(await lag()).toBe(10);
});
