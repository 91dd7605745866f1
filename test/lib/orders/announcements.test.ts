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

test.for([
  "a group that reads",
  // As a consumer looks before Redis 7.2 that asked all the time, and got nothing for a minute.
  "a group that had nothing to read during the outage",
])(
  "after an outage %s gets every order, because a run announces a share of the stream and then waits for it",
  async (who) => {
    const pks = await storeOrders(store.client, 3 * BOUND);
    await store.client.xGroupCreate(STREAM, "shop", "0", { MKSTREAM: true });
    const older = who === "a group that reads" ? ["older"] : [];
    for (const pk of older) await store.client.xAdd(STREAM, "*", { pk });
    // A read would show that the consumer is there.
    const read = older.length > 0 ? await readAll() : [];
    let runs = 0;

    while ((await store.client.zCard("orders:pending")) > 0) {
      runs += 1;
      await sweep();
      read.push(...(await readAll()));
    }

    expect(read).toEqual([...older, ...pks.toSorted()]);
    expect(runs).toBeGreaterThan(4);
  },
);

test.for(["a group without readers", "no group"])("%s does not hold orders back", async (who) => {
  await storeOrders(store.client, 2 * BOUND);
  if (who !== "no group") {
    await store.client.xAdd(STREAM, `${Date.now() - 100_000}-0`, { pk: "unread" });
    await store.client.xGroupCreate(STREAM, "abandoned", "0");
  }

  await sweep();

  expect(await store.client.zCard("orders:pending")).toBe(0);
});

test("one sweep trims however much the stream has above its bound", async () => {
  const entries = Array.from({ length: BOUND + 2_500 }, (_, number) => number);
  const batch = store.client.multi();
  for (const number of entries) batch.xAdd(STREAM, "*", { number: String(number) });
  await batch.execAsPipeline();

  await sweep();

  const [first] = (await store.client.xRange(STREAM, "-", "+", { COUNT: 1 })) ?? [];
  expect([await store.client.xLen(STREAM), first?.message]).toEqual([BOUND, { number: "2500" }]);
});
