import { createHash } from "node:crypto";
import { glob, readFile } from "node:fs/promises";
import { createClient } from "@redis/client";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { placeOrder } from "../../../lib/orders/place-order.ts";
import { sweepOrders } from "../../../lib/orders/sweep-orders.ts";
import { drainRefunds } from "../../../lib/refunds/drain-refunds.ts";
import { replayDeadLetters } from "../../../lib/refunds/replay-dead-letters.ts";
import { newPk, requestRefund, storeOrders } from "../../support/orders.ts";
import { useStore } from "../../support/store.ts";

const KEY_LOCKING = /^#!lua flags=(no-writes,)?allow-key-locking\n/;
const MONITOR_LINE = /^[\d.]+ \[\d+ (\S+)\] (.*)$/;
const Keys = z.array(z.string());

const store = useStore();

/** Every command that Redis runs from now on, and whether a script sent it. */
async function monitored(): Promise<{ readonly fromScript: boolean; readonly words: string[] }[]> {
  const commands: { fromScript: boolean; words: string[] }[] = [];
  const monitor = createClient({ url: store.redisUrl });
  await monitor.connect();
  onTestFinished(() => monitor.destroy());
  await monitor.monitor((line) => {
    const [, source, command = ""] = MONITOR_LINE.exec(String(line)) ?? [];
    // The words are quoted as in C. No key here has an escape that JSON does not know.
    const words = [...command.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([word]) => word.slice(1, -1));
    commands.push({ fromScript: source === "lua", words });
  });
  return commands;
}

test("every script locks its keys only, and uses no key that is not in its KEYS, which Upstash would refuse", async () => {
  // given
  const commands = await monitored();
  const deps = { redis: store.redis, retentionDays: 1 };
  const input = { request: { id: "tea", quantity: 1 }, idempotencyKey: "basket-7f3a1c90e2", now: Date.now() - 100_000 };
  const inventory = { priceOf: () => Promise.reject(new Error("no price")) };

  // when
  await expect(placeOrder({ ...deps, inventory }, input)).rejects.toThrow("no price");
  const { order } = await placeOrder(deps, input);
  await storeOrders(store.client, 300);
  await store.client.xGroupCreate("order_completed", "shop", "0", { MKSTREAM: true });
  await sweepOrders({ redis: store.redis, completion: "scheduler", streamMaxLength: 100, clock: Date.now });
  for (const pk of [order.pk, newPk(), "malformed"]) await requestRefund(store.client, pk);
  await drainRefunds(store.redis, Date.now, () => 50_000);
  const [letter] = (await store.client.xRange("refund_order:dead", "-", "+")) ?? [];
  await replayDeadLetters(store.redis, [letter?.id ?? ""]);
  await expect.poll(() => commands.filter(({ words }) => words.includes("refund_order")).length).toBeGreaterThan(5);

  // then
  const keysOf = async (words: string[]) =>
    Keys.parse(await store.client.sendCommand(["COMMAND", "GETKEYS", ...words]));
  let declared: string[] = [];
  let inScripts = 0;
  for (const { fromScript, words } of commands) {
    if (/^eval/i.test(words[0] ?? "")) declared = words.slice(3, 3 + Number(words[2]));
    else if (fromScript) {
      expect(declared, words.slice(0, 4).join(" ")).toEqual(expect.arrayContaining(await keysOf(words)));
      inScripts += 1;
    }
  }
  expect(inScripts).toBeGreaterThan(1_000);
  const replies = commands.map(({ words }) => words.join(" "));
  for await (const file of glob("lib/**/*.lua")) {
    const lua = await readFile(file, "utf8");
    expect(lua, file).toMatch(KEY_LOCKING);
    const [name = ""] = /-- .*/.exec(lua) ?? [];
    const ran = replies.some(
      (reply) => reply.includes(name) || reply.includes(createHash("sha1").update(lua).digest("hex")),
    );
    expect(ran, `${file} ran`).toBe(true);
  }
});
