import { setTimeout as wait } from "node:timers/promises";
import { COMPLETED_STREAM, DEAD_LETTER_STREAM, REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { createClients } from "./clients.ts";
import type { Context } from "./context.ts";
import { type ChaosDatabase, type DirectClient, entriesOf, fillStream, makeRoom, withoutGroup } from "./database.ts";
import type { Fate } from "./interceptor.ts";
import type { Call } from "./proxy.ts";
import type { Refunds } from "./refunds.ts";

/** At a rate of 1, how many orders there are for each accident of a kind. */
const ORDERS_PER_ACCIDENT = 150;

/** Where on the way from the first order to the last: not while the flood is settled, or it would often be removed. */
const PLACES = [
  { from: 0, to: 0.4 },
  { from: 0.8, to: 1 },
];

const MAX_TRIMMED = 3;

/** More than one, because another fault may end a request whose store was refused. */
const REFUSED_STORES = 5;

/** How many orders are tried: on a busy machine the second client's reply often comes late. */
const MAX_TRIED = 60;

/** The request whose store was refused tries again for longer than this, in ms (`FIRST_REQUEST` in lib/redis/commands.ts). */
const STILL_TRYING_MS = 2_000;

/** The replies to a second client with the same key: the key is in use, or the client claimed it and got no price. */
const SECOND_CLIENT = [409, 502];

/** Long enough for a few polls and retries of what is refused. */
const FULL_MS = 2_000;

/** The list and the removal are one script, so that it is known what was removed. */
const REMOVE = `
  local listed = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2])
  redis.call(unpack(ARGV, 3))
  return listed`;

/**
 * The accidents of the whole database: each kind happens at least once, when an order drawn from the seed is
 * placed. Those of the refund stream wait for a poller that has a batch in hand.
 * @returns runs the accidents that belong to an order
 */
export function createDisasters(
  { options, chance, faults, interceptor, journal, prices }: Context,
  database: ChaosDatabase,
  refunds: Refunds,
  clients: Pick<ReturnType<typeof createClients>, "isAlone" | "sendAgain">,
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
      await underPoller((client) => fillStream(client, DEAD_LETTER_STREAM));
      await makeRoomLater(DEAD_LETTER_STREAM);
    },
    "refunds.group_deleted": () =>
      underPoller((client) => client.xGroupDestroy(REFUND_STREAM, REFUND_GROUP).catch(withoutGroup)),
    "refunds.stream_deleted": () => underPoller((client) => remove(client, "-", "+", ["DEL", REFUND_STREAM])),
    "refunds.trimmed": () => underPoller((client) => remove(client, "-", "+", ["XTRIM", REFUND_STREAM, "MAXLEN", "0"])),
    "refunds.trimmed_while_pending": () => underPoller(trimPending),
    "functions.poller_killed_before_settling": () => underPoller(async () => undefined, "killed_before_call"),
    "functions.poller_killed_after_settling": () => underPoller(async () => undefined, "killed_during_call"),
    ...(prices && { "clients.refused_while_storing": refuseStores }),
  };

  /** @returns whether it happened: without a poller none is killed */
  async function underPoller(work: (client: DirectClient) => Promise<unknown>, fate?: Fate): Promise<boolean> {
    const struck = interceptor.before("settling", () => database.direct(work), fate);
    // So that there is a batch to have in hand.
    for (const kind of ["unknown", "malformed", "without_pk"] as const) await refunds.askInvalid(kind);
    return (await struck) || fate === undefined;
  }

  async function refuseStores(): Promise<void> {
    const tried = new Set<number>();
    let refused = 0;

    /**
     * Redis refuses the hash of an order, and the reply is lost. Before it is sent again, a second client sends the same key, and
     * gets no price.
     */
    async function refuseBoth(call: Call | undefined): Promise<void> {
      const order = call && journal.orderIn(call.body);
      if (order === undefined) return;
      tried.add(order);
      const startedMs = performance.now();
      await database.direct(async (client) => {
        await client.aclSetUser("default", "-hset");
        await call?.forward().finally(() => client.aclSetUser("default", "+hset"));
      });
      prices?.isDown.add(order);
      const status = await clients.sendAgain(order);
      prices?.isDown.delete(order);
      if (SECOND_CLIENT.includes(status) && performance.now() - startedMs < STILL_TRYING_MS) refused += 1;
    }

    // Other requests with the key would claim it before the second client does.
    function isWanted({ body }: Call): boolean {
      const order = journal.orderIn(body) ?? 0;
      return clients.isAlone(order) && !tried.has(order);
    }

    while (refused < REFUSED_STORES && tried.size < MAX_TRIED) {
      const happened = await interceptor.before("storing", refuseBoth, "reset_before", isWanted);
      if (!happened) return;
    }
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

/** Redis then refuses what adds, and goes on with reads and deletes, as Upstash does at the limit of the plan. */
async function fillDatabase(client: DirectClient): Promise<void> {
  await client.configSet("maxmemory", "1");
  await wait(FULL_MS);
  await client.configSet("maxmemory", "0");
}
