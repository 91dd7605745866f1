import { expect, test } from "vitest";
import * as z from "zod";
import { sweepOrders } from "../../../lib/orders/sweep-orders.ts";
import { storeOrders } from "../../support/orders.ts";
import { useStore } from "../../support/store.ts";

const STREAM = "order_completed";
const BOUND = 1_000;

const store = useStore();

const sweep = () =>
  sweepOrders({ redis: store.redis, completion: "scheduler", streamMaxLength: BOUND, clock: Date.now });

const Streams = z.nullable(
  z.array(z.object({ messages: z.array(z.object({ message: z.object({ pk: z.string() }) })) })),
);

async function readAll(): Promise<string[]> {
  const streams = Streams.parse(
    await store.client.xReadGroup("shop", "consumer", { key: STREAM, id: ">" }, { NOACK: true }),
  );
  return (streams ?? []).flatMap(({ messages }) => messages.map(({ message }) => message.pk));
}

test("after an outage a group that reads gets every order, because a run announces a share of the stream and then waits for it", async () => {
  const pks = await storeOrders(store.client, 3 * BOUND);
  await store.client.xGroupCreate(STREAM, "shop", "0", { MKSTREAM: true });
  await store.client.xAdd(STREAM, "*", { pk: "older" });
  const read = await readAll();
  let runs = 0;

  while ((await store.client.zCard("orders:pending")) > 0) {
    runs += 1;
    await sweep();
    read.push(...(await readAll()));
  }

  expect(read).toEqual(["older", ...pks.toSorted()]);
  expect(runs).toBeGreaterThan(4);
});

test.for(["a group without readers", "no group"])("%s does not hold orders back", async (who) => {
  await storeOrders(store.client, 2 * BOUND);
  if (who !== "no group") await store.client.xGroupCreate(STREAM, "abandoned", "0", { MKSTREAM: true });

  await sweep();

  expect(await store.client.zCard("orders:pending")).toBe(0);
});
