import { setTimeout as wait } from "node:timers/promises";
import {
  COMPLETED_STREAM,
  DEAD_REFUND_STREAM,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";
import type { INSTANCE_FAULTS } from "./call-faults.ts";
import { type ChaosDatabase, type DirectClient, entriesOf, fillStream, makeRoom, withoutGroup } from "./database.ts";
import type { Refunds } from "./refunds.ts";
import type { Context } from "./run.ts";

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

/** The list and the removal are one script, so that it is known what was removed. */
const REMOVE = `
  local listed = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2])
  redis.call(unpack(ARGV, 3))
  return listed`;

/** When no poller settles anything for so long, in ms, what would befall one happens without it. */
const PATIENCE_MS = 20_000;

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
  refunds: Refunds,
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
    "refunds.stream_deleted": () => underPoller((client) => remove(client, "-", "+", ["DEL", REFUND_STREAM])),
    "refunds.trimmed": () => underPoller((client) => remove(client, "-", "+", ["XTRIM", REFUND_STREAM, "MAXLEN", "0"])),
    "refunds.trimmed_while_pending": () => underPoller(trimPending),
    "functions.poller_killed_before_settling": () => underPoller(async () => undefined, "killed_before_call"),
    "functions.poller_killed_after_settling": () => underPoller(async () => undefined, "killed_during_call"),
  };

  /** @returns whether it happened: without a poller none is killed */
  async function underPoller(work: (client: DirectClient) => Promise<unknown>, fate?: PollerFate): Promise<boolean> {
    const struck = interceptor.lay(() => database.direct(work), fate);
    // So that there is a batch to have in hand.
    for (const kind of ["unknown", "malformed", "without_pk"] as const) await refunds.askInvalid(kind);
    return (await struck) || fate === undefined;
  }

  async function remove(client: DirectClient, from: string, to: string, removal: readonly string[]): Promise<void> {
    const entries = await entriesOf(client, ["EVAL", REMOVE, "1", REFUND_STREAM, from, to, ...removal]);
    for (const fields of entries) refunds.removed(fields);
  }

  async function trimPending(client: DirectClient): Promise<void> {
    const pending = await client.xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", MAX_TRIMMED).catch(withoutGroup);
    for (const { id } of pending ?? []) await remove(client, id, id, ["XDEL", REFUND_STREAM, id]);
  }

  async function makeRoomLater(stream: string): Promise<void> {
    await wait(FULL_MS);
    await database.direct((client) => makeRoom(client, stream));
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
      if ((await accidents[name]?.()) !== false) faults.count(name);
    }
  };
}

/** What befalls a poller at the worst time: when it has a batch in hand and is about to settle it. */
export function createInterceptor() {
  const waiting = new Set<(hasPoller: boolean) => Promise<PollerFate>>();

  return {
    /**
     * Resolves once `work` has been done, before the next settling that a living poller sends.
     * @returns whether there was a poller
     */
    lay(work: () => Promise<unknown>, fate: PollerFate): Promise<boolean> {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const patience = setTimeout(() => void happen(false), PATIENCE_MS);
      async function happen(hasPoller: boolean): Promise<PollerFate> {
        clearTimeout(patience);
        waiting.delete(happen);
        await work().then(() => resolve(hasPoller), reject);
        return fate;
      }
      waiting.add(happen);
      return promise;
    },
    /** Runs what waits for this call of the poller. */
    async spring(body: string): Promise<PollerFate> {
      // Of the poller's calls only the one that settles names the outbox.
      const [next] = waiting;
      return body.includes(PENDING_KEY) ? next?.(true) : undefined;
    },
  };
}

/** Redis then refuses what adds, and goes on with reads and deletes, as Upstash does at the limit of the plan. */
async function fillDatabase(client: DirectClient): Promise<void> {
  await client.configSet("maxmemory", "1");
  await wait(FULL_MS);
  await client.configSet("maxmemory", "0");
}
