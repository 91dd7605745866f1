import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { startConsole } from "../../local/console/console.ts";
import { type Faults, NO_FAULTS } from "../../local/console/faults.ts";
import { startHttpFront } from "../support/http-front.ts";
import { storeOrders } from "../support/orders.ts";
import { freePorts } from "../support/servers.ts";
import { useStore } from "../support/store.ts";

const Shown = z.object({
  orders: z.array(z.object({ pk: z.string() })),
  groups: z.object({ requests: z.array(z.looseObject({})) }),
  unsettled: z.array(z.looseObject({ id: z.string() })),
});
const Snapshot = z.object({ store: Shown.optional() });

const store = useStore();

test("Redis is read only while a page is open, and a page shows the newest 100 orders", async () => {
  const pks = await storeOrders(store.client, 150);
  const { url, front, shown } = await startedConsole();
  expect(front.requests).toEqual([]);

  const page = await open(url);
  const { orders } = await shown(page, ({ orders }) => orders.length > 0);
  expect(orders.map(({ pk }) => pk)).toEqual(pks.toSorted().reverse().slice(0, 100));

  await page.close();
  let before = -1;
  function readsSinceLastLook(): number {
    const reads = front.requests.length - before;
    before = front.requests.length;
    return reads;
  }
  await expect.poll(readsSinceLastLook, { interval: 1_000 }).toBe(0);
});

const REFUSED = "Failed: this database is yours: nothing is broken or dropped in it";

test.for<[action: object, message: string]>([
  [{ action: "drop", id: "1-1" }, REFUSED],
  [{ action: "break", redis: "down" }, REFUSED],
  [{ action: "break", schedules: "never" }, REFUSED],
  [{ action: "break", inventory: "slow" }, REFUSED],
  [{ action: "break", redis: "gone" }, "There is no such action"],
])("nothing of the user's own database is broken or dropped: %o", async ([action, message]) => {
  await store.client.xAdd("refund_order:dead", "1-1", { pk: "x" });
  const { url, faults } = await startedConsole();

  const reply = await fetch(`${url}/actions`, { method: "POST", body: JSON.stringify(action) });

  expect(await reply.text()).toBe(message);
  expect(await store.client.xLen("refund_order:dead")).toBe(1);
  expect(faults).toEqual(NO_FAULTS);
});

test("a refund request that a poller read and did not settle is shown with its consumer", async () => {
  await store.client.xGroupCreate(REFUND_STREAM, REFUND_GROUP, "0", { MKSTREAM: true });
  const id = await store.client.xAdd(REFUND_STREAM, "*", { pk: "x" });
  await store.client.xReadGroup(REFUND_GROUP, "a-poller", { key: REFUND_STREAM, id: ">" });
  const { url, shown } = await startedConsole();

  const { groups, unsettled } = await shown(await open(url), ({ unsettled }) => unsettled.length > 0);

  expect(unsettled).toMatchObject([{ id, consumer: "a-poller", deliveries: 1 }]);
  expect(groups.requests).toEqual([{ name: REFUND_GROUP, pending: 1, lag: 0 }]);
});

test("a page of another origin can neither act nor read", async () => {
  const { url, front } = await startedConsole();
  const headers = { origin: "http://localhost:1" };

  const replies = [
    await fetch(`${url}/actions`, { method: "POST", headers, body: '{"action":"refund unknown"}' }),
    await fetch(`${url}/events`, { headers }),
    await fetch(`${url}/schedules/x`, { headers }),
  ];

  expect(replies.map(({ status }) => status)).toEqual([403, 403, 403]);
  expect(front.requests).toEqual([]);
});

/** A console for the database of a user. */
async function startedConsole() {
  const front = await startHttpFront(store.url);
  const faults: Faults = { ...NO_FAULTS };
  const { url, stop } = await startConsole({
    ...{
      port: Number((await freePorts("PORT")).PORT),
      apiUrl: "http://127.0.0.1:1",
      schedulerUrl: "http://127.0.0.1:1",
    },
    redis: { url: front.url, token: store.token },
    invoke: () => expect.unreachable(),
    activity: {
      invocations: [],
      seconds: new Map(),
      totals: { placed: 0, completed: 0, refunded: 0 },
      completions: new Map(),
    },
    faults,
    breakable: false,
    isUpstash: false,
    hasInventory: true,
    completion: "scheduler",
  });
  onTestFinished(async () => {
    stop();
    await front.stop();
  });
  return { url, front, faults, shown };
}

async function open(url: string) {
  const { body } = await fetch(`${url}/events`);
  if (!body) throw new Error("No events");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  return { read: async () => (await reader.read()).value ?? "", close: () => reader.cancel() };
}

/** What an open page shows of Redis first for which `matches` is true. */
async function shown(page: Awaited<ReturnType<typeof open>>, matches: (store: z.infer<typeof Shown>) => boolean) {
  for (let text = ""; ; text += await page.read()) {
    const events = text.split("\n\n").slice(0, -1);
    const snapshots = events.map((event) => Snapshot.parse(JSON.parse(event.replace("data: ", ""))));
    const found = snapshots.flatMap(({ store }) => store ?? []).find(matches);
    if (found) return found;
  }
}
