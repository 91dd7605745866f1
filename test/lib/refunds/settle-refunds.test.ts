import { expect, test } from "vitest";
import * as z from "zod";
import { runCommand } from "../../../lib/redis/commands.ts";
import { type RefundRequest, settleRefundsCommand } from "../../../lib/refunds/drain-refunds.ts";
import { newPk, requestRefunds, statusOf, storeOrder } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { GROUP, pendingIds, readBatch } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const REFUNDED = 1;
const WAS_REFUNDED = 2;
const UNKNOWN = 3;
const SETTLED_ELSEWHERE = 4;
const FAILED = 5;

const store = useStore();

async function settle(requests: readonly RefundRequest[]): Promise<readonly number[]> {
  const [codes] = await runCommand(store.redis, settleRefundsCommand(requests, Date.now()));
  return codes;
}

/** Requests that a poller has read: of a pending order, of a refunded one, and of one that does not exist. */
async function readRequests() {
  const pks = [await storeOrder(store.client), await storeOrder(store.client, "refunded"), newPk()];
  const ids = await requestRefunds(store.client, pks);
  await readBatch(store);
  return { requests: ids.map((id, index) => ({ id, pk: pks[index] ?? "" })), ids, pk: pks[0] ?? "" };
}

test("a reply without a code for each request is invalid", () => {
  const { reply } = settleRefundsCommand(
    [1, 2].map((id) => ({ id: `${id}-0`, pk: newPk() })),
    0,
  );

  expect(z.safeParse(reply, [[1, 1], []]).success).toBe(true);
  expect(z.safeParse(reply, [[1], []]).success).toBe(false);
});

test("an order is refunded once; a request of an unknown one stays pending for the dead letters", async () => {
  const { requests, ids } = await readRequests();

  expect(await settle(requests)).toEqual([REFUNDED, WAS_REFUNDED, UNKNOWN]);
  expect(await settle(requests)).toEqual([SETTLED_ELSEWHERE, SETTLED_ELSEWHERE, UNKNOWN]);

  expect(await pendingIds(store.client)).toEqual(ids.slice(2));
  expect(await store.client.exists("orders:pending")).toBe(0);
});

test.for<[string, number[], number[]]>([
  ["hget", [FAILED, FAILED, FAILED], [REFUNDED, WAS_REFUNDED, UNKNOWN]],
  ["hset", [FAILED, WAS_REFUNDED, UNKNOWN], [REFUNDED, SETTLED_ELSEWHERE, UNKNOWN]],
])(
  "while Redis refuses %s, a request that needs it stays pending, and the rest is settled",
  async ([command, codes, codesAfterwards]) => {
    const { requests, ids, pk } = await readRequests();
    const allow = await forbid(store.client, command);

    expect(await settle(requests)).toEqual(codes);

    await allow();
    const leftAlone = [FAILED, UNKNOWN];
    expect(await pendingIds(store.client)).toEqual(ids.filter((_, index) => leftAlone.includes(codes[index] ?? 0)));
    expect(await statusOf(store.client, pk)).toBe("pending");
    expect(await settle(requests)).toEqual(codesAfterwards);
  },
);

test("an order that is refunded but cannot be taken from orders:pending is settled by the next run", async () => {
  const { requests, ids } = await readRequests();
  await store.client.del("orders:pending");
  await store.client.rPush("orders:pending", "other");

  expect(await settle(requests.slice(0, 1))).toEqual([FAILED]);
  expect(await pendingIds(store.client)).toEqual(ids);

  expect(await settle(requests.slice(0, 1))).toEqual([WAS_REFUNDED]);
});

test.for<[string, () => Promise<unknown>]>([
  ["trimmed from the stream", () => store.client.xTrim("refund_order", "MAXLEN", 0)],
  [
    "acknowledged by someone else",
    async () => store.client.xAck("refund_order", GROUP, await pendingIds(store.client)),
  ],
  ["in a group that was deleted", () => store.client.xGroupDestroy("refund_order", GROUP)],
])("a request that was read and then %s refunds its order", async ([, meanwhile]) => {
  const { requests, pk } = await readRequests();
  await meanwhile();

  expect(await settle(requests.slice(0, 1))).toEqual([REFUNDED]);
  expect(await statusOf(store.client, pk)).toBe("refunded");

  expect(await settle(requests.slice(0, 1))).toEqual([SETTLED_ELSEWHERE]);
});
