import { setTimeout as wait } from "node:timers/promises";
import { COMPLETED_STREAM, DEAD_REFUND_STREAM, REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { INSTANCE_FAULTS } from "./call-faults.ts";
import type { Context } from "./context.ts";
import { type ChaosDatabase, type DirectClient, Entries, transact, withoutGroup } from "./database.ts";
import type { RefundDesk } from "./refunds.ts";

/** One order in so many, at a rate of 1, comes with an accident of each kind. */
const ORDERS_PER_ACCIDENT = 150;

/** Where on the way from the first order to the last: not while the flood is settled, or it would often be removed. */
const PLACES = [
  { from: 0, to: 0.4 },
  { from: 0.8, to: 1 },
];

const MAX_TRIMMED = 3;

/** Long enough for a few polls and retries of what is refused. */
const FULL_MS = 2_000;
const HIGHEST_ID = "18446744073709551615-18446744073709551615";

/** When no poller settles anything for so long, in ms, an ambush happens without one. */
const PATIENCE_MS = 20_000;

export type Interceptor = ReturnType<typeof createInterceptor>;

/** What becomes of the poller itself; undefined: it goes on. */
type PollerFate = keyof typeof INSTANCE_FAULTS | undefined;

/**
 * The accidents that befall the whole database: each kind strikes at least once, when an order drawn from the seed is
 * placed. Those of the refund stream strike a poller that has a batch in hand.
 * @returns runs the accidents that belong to an order
 */
export function createDisasters(
  { options, chance, faults, interceptor }: Context,
  database: ChaosDatabase,
  desk: RefundDesk,
): (order: number) => Promise<void> {
  const { orders, faults: rate } = options;

  const accidents: Readonly<Record<string, () => Promise<unknown>>> = {
    "redis.killed": () => database.killAndRestart(),
    "redis.database_full": () => database.alone(fillDatabase),
    "redis.order_completed_full": async () => {
      await database.direct((client) => fillStream(client, COMPLETED_STREAM));
      await makeRoomLater(COMPLETED_STREAM);
    },
    "redis.dead_letters_full": async () => {
      await underPoller((client) => fillStream(client, DEAD_REFUND_STREAM));
      await makeRoomLater(DEAD_REFUND_STREAM);
    },
    "refunds.group_deleted": () =>
      underPoller((client) => client.xGroupDestroy(REFUND_STREAM, REFUND_GROUP).catch(withoutGroup)),
    "refunds.stream_deleted": () => underPoller((client) => remove(client, ["-", "+"], ["DEL", REFUND_STREAM])),
    "refunds.trimmed": () =>
      underPoller((client) => remove(client, ["-", "+"], ["XTRIM", REFUND_STREAM, "MAXLEN", "0"])),
    "refunds.trimmed_while_pending": () => underPoller(trimPending),
    "functions.poller_killed_before_settling": () => underPoller(async () => undefined, "killed_before_call"),
    "functions.poller_killed_after_settling": () => underPoller(async () => undefined, "killed_during_call"),
  };

  async function underPoller(work: (client: DirectClient) => Promise<unknown>, fate?: PollerFate): Promise<void> {
    const struck = interceptor.lay(async () => {
      await database.direct(work);
      return fate;
    });
    // So that there is a batch to have in hand.
    for (const kind of ["unknown", "malformed", "without_pk"] as const) await desk.askInvalid(kind);
    await struck;
  }

  /** The list and the removal are one transaction, so that it is known what was removed. */
  async function remove(client: DirectClient, range: readonly [string, string], removal: string[]): Promise<void> {
    const [listed] = await transact(client, [["XRANGE", REFUND_STREAM, ...range], removal]);
    for (const { fields } of Entries.parse(listed)) desk.removed(fields);
  }

  async function trimPending(client: DirectClient): Promise<void> {
    const pending = await client.xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", MAX_TRIMMED).catch(withoutGroup);
    for (const { id } of pending) await remove(client, [id, id], ["XDEL", REFUND_STREAM, id]);
  }

  async function makeRoomLater(stream: string): Promise<void> {
    await wait(FULL_MS);
    await database.direct(async (client) => {
      const [newest] = (await client.xRevRange(stream, "+", "-", { COUNT: 1 })) ?? [];
      await client.sendCommand(["XSETID", stream, newest?.id ?? "0-0"]);
    });
  }

  function datesOf(name: string): { name: string; order: number }[] {
    const times = rate === 0 ? 0 : Math.max(1, Math.round((orders * rate) / ORDERS_PER_ACCIDENT));
    return Array.from({ length: times }, (_, time) => {
      const { from, to } = PLACES[time % PLACES.length] ?? { from: 0, to: 1 };
      const place = from + chance.at(`place of ${name} ${time}`) * (to - from);
      return { name, order: 1 + Math.floor(place * orders) };
    });
  }

  const dates = Map.groupBy(Object.keys(accidents).flatMap(datesOf), ({ order }) => order);
  return async (order) => {
    for (const { name } of dates.get(order) ?? []) {
      await accidents[name]?.();
      faults.count(name);
    }
  };
}

/** What befalls a poller at the worst time: when it has a batch in hand and is about to settle it. */
export function createInterceptor() {
  const waiting = new Set<() => Promise<PollerFate>>();

  return {
    /** Resolves once it has happened, before the next settling that a living poller sends. */
    async lay(work: () => Promise<PollerFate>): Promise<void> {
      const happened = Promise.withResolvers<void>();
      async function happen(): Promise<PollerFate> {
        waiting.delete(happen);
        const fate = work();
        fate.then(() => happened.resolve(), happened.reject);
        return fate;
      }
      waiting.add(happen);
      const patience = setTimeout(() => waiting.has(happen) && happen().catch(() => undefined), PATIENCE_MS);
      await happened.promise.finally(() => clearTimeout(patience));
    },
    /** Runs what waits for this call of the poller. */
    async spring(body: string): Promise<PollerFate> {
      // Of the poller's calls only the one that settles names the dead letters.
      if (!body.includes(DEAD_REFUND_STREAM)) return undefined;
      const [next] = waiting;
      return next?.();
    },
  };
}

/** Redis then refuses what adds, and goes on with reads and deletes, as Upstash does at the limit of the plan. */
async function fillDatabase(client: DirectClient): Promise<void> {
  await client.configSet("maxmemory", "1");
  await wait(FULL_MS);
  await client.configSet("maxmemory", "0");
}

/** At its highest id a stream takes no entry, as a record at Upstash's limit. One transaction, because two orders may do it at once. */
function fillStream(client: DirectClient, stream: string): Promise<unknown> {
  return transact(client, [
    ["XGROUP", "CREATE", stream, "fault", "$", "MKSTREAM"],
    ["XGROUP", "DESTROY", stream, "fault"],
    ["XSETID", stream, HIGHEST_ID],
  ]);
}
