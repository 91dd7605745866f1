import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { placeOrder } from "../../../lib/orders/place-order.ts";
import { sweepOrders } from "../../../lib/orders/sweep-orders.ts";
import { drainRefunds } from "../../../lib/refunds/drain-refunds.ts";
import { replayDeadRefunds } from "../../../lib/refunds/replay-dead-letters.ts";
import { newPk, requestRefund, requestRefunds, STREAM_MAX_LENGTH, storeOrders } from "../../support/orders.ts";
import { addRequest, crashPoller } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const LIB = join(import.meta.dirname, "../../../lib");

/** On Upstash a script with this line locks its KEYS and no other key: https://upstash.com/docs/redis/features/key-locking */
const FLAG = "#!lua flags=allow-key-locking";

/** A command as MONITOR shows it, and who ran it. */
const LINE = /^[\d.]+ \[\d+ (\S+)\] (.*)$/s;

const Keys = z.array(z.string());

const store = useStore();

/** Has MONITOR watch `work`. Returns what it ran, each in its words. */
async function watch(work: () => Promise<unknown>): Promise<{ readonly by: string; readonly words: string[] }[]> {
  const lines: string[] = [];
  const monitor = store.client.duplicate();
  await monitor.connect();
  onTestFinished(() => monitor.destroy());
  await monitor.monitor((line) => lines.push(String(line)));
  await work();
  await store.client.echo("the end");
  await expect.poll(() => lines.at(-1)).toContain("the end");
  return lines.map((line) => {
    const [, by = "", command = ""] = LINE.exec(line) ?? [];
    return { by, words: [...command.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word) };
  });
}

async function refunds(): Promise<void> {
  await requestRefund(store.client, newPk());
  await crashPoller(store.client);
  await store.client.xTrim("refund_order", "MAXLEN", 0);
  await requestRefunds(store.client, [...(await storeOrders(store.client, 2)), newPk()]);
  await crashPoller(store.client);
  await addRequest(store.client, ["order", "1"]);
  await drainRefunds(store.redis, Date.now, () => 50_000);
  const [letter] = (await store.client.xRange("refund_order:dead", "-", "+")) ?? [];
  await replayDeadRefunds(store.redis, [letter?.id ?? ""]);
  await drainRefunds(store.redis, Date.now, () => 50_000);
}

async function orders(): Promise<void> {
  const { redis } = store;
  await store.client.xGroupCreate("order_completed", "group", "0", { MKSTREAM: true });
  const [now, clock] = [Date.now(), () => now + 100_000];
  const request = { id: "tea-green", quantity: 2 };
  await placeOrder({ redis, retentionDays: 1 }, { request, idempotencyKey: "basket-7f3a1c90e2", now });
  await sweepOrders({ redis, completion: "scheduler", streamMaxLength: STREAM_MAX_LENGTH, clock });
}

test("each script begins with the flag that locks its own keys only", async () => {
  for await (const file of glob("**/*.lua", { cwd: LIB })) {
    const [first] = (await readFile(join(LIB, file), "utf8")).split("\n");
    expect([file, first]).toEqual([file, FLAG]);
  }
});

test.for<[string, () => Promise<void>, string[]]>([
  ["refunds", refunds, ["read-refund-requests", "settle-refunds", "keep-dead-letters", "replay-dead-letters"]],
  ["orders", orders, ["create-order", "complete-orders", "completed-stream-lag"]],
])("no script of %s touches a key that it was not given", async ([folder, work, names]) => {
  const commands = await watch(work);

  let keys: string[] = [];
  const touched: string[] = [];
  for (const { by, words } of commands) {
    if (/^eval/i.test(words[0] ?? "")) keys = words.slice(3, 3 + Number(words[2]));
    if (by !== "lua") continue;
    const used = Keys.parse(await store.client.sendCommand(["COMMAND", "GETKEYS", ...words]));
    touched.push(...used);
    expect(keys, words.join(" ")).toEqual(expect.arrayContaining(used));
  }
  expect(touched.length).toBeGreaterThan(0);
  const texts = commands.map(({ words }) => words[1] ?? "");
  for (const name of names) {
    const [, header = ""] = (await readFile(join(LIB, folder, `${name}.lua`), "utf8")).split("\n");
    expect(texts.some((text) => text.includes(header))).toBe(true);
  }
});
