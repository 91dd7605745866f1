import type { LambdaHost } from "../lambda/host.ts";
import type { Ambush } from "./ambush.ts";
import { INSTANCE_FAULTS, INSTANCE_WEIGHTS, passOn, type Treatment } from "./call-faults.ts";
import { createClaims } from "./claims.ts";
import type { ChaosDatabase } from "./database.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Faults } from "./faults.ts";
import { createInventoryBoundary } from "./inventory-boundary.ts";
import type { Journal } from "./journal.ts";
import type { PriceBook } from "./price-book.ts";
import { type Call, type CallProxy, startProxy } from "./proxy.ts";
import { REDIS_FAULTS, REDIS_WEIGHTS } from "./redis-faults.ts";
import { SCHEDULER_FAULTS, SCHEDULER_WEIGHTS } from "./scheduler-faults.ts";

export interface BoundariesOptions {
  readonly faults: Faults;
  readonly journal: Journal;
  readonly database: ChaosDatabase;
  readonly deliveries: Deliveries;
  readonly ambush: Ambush;
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Where prices are asked for, and what was told; undefined in a run without prices. */
  readonly inventory: { readonly url: string; readonly prices: PriceBook } | undefined;
  readonly host: () => LambdaHost;
}

export interface Addresses {
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Empty for a function that asks for no prices. */
  readonly inventoryUrl: string;
}

/** What each instance calls: proxies of its own, so that it is known whose call a fault strikes. */
export interface Boundaries {
  open(functionName: string, instanceId: string): Promise<Addresses>;
  close(instanceId: string): void;
}

const WEIGHTS = { ...REDIS_WEIGHTS, ...INSTANCE_WEIGHTS };

export function createBoundaries(options: BoundariesOptions): Boundaries {
  const { faults, journal, database, deliveries } = options;
  const proxies = new Map<string, CallProxy[]>();
  const claims = createClaims(database);

  async function toRedis(call: Call, functionName: string, instanceId: string): Promise<void> {
    if (functionName === "createOrder") noteOrder(call.body, instanceId);
    const fate = functionName === "drainRefunds" ? await options.ambush.spring(call.body) : undefined;
    // Only a call that names a script by its hash can miss it.
    const weights = { ...WEIGHTS, noscript: call.body.includes('"evalsha"') ? 1 : 0 };
    const kind = fate ?? faults.strike("redis", subject(functionName, call.body), weights);
    if (!kind) return passOn({ call });
    journal.noteAll(call.body, `redis.${kind} strikes ${instanceId}`);
    const noscript: Treatment = async (struck) => {
      await database.direct((client) => client.scriptFlush());
      await passOn(struck);
    };
    await { ...REDIS_FAULTS, ...INSTANCE_FAULTS, noscript }[kind]({ call, instance: options.host().find(instanceId) });
  }

  function noteOrder(body: string, instanceId: string): void {
    claims.learn(body, instanceId);
    for (const pk of journal.learn(body)) options.inventory?.prices.notePlacing(pk, instanceId);
  }

  async function toScheduler(call: Call, functionName: string, instanceId: string): Promise<void> {
    const kind = faults.strike("scheduler", subject(functionName, call.path), SCHEDULER_WEIGHTS);
    if (!kind) {
      const reply = await call.forward();
      await deliveries.early(call)?.();
      return call.answer(reply);
    }
    journal.noteAll(call.path, `scheduler.${kind} strikes ${instanceId}`);
    await { ...SCHEDULER_FAULTS, ...INSTANCE_FAULTS }[kind]({
      call,
      instance: options.host().find(instanceId),
    });
  }

  async function openInventory(functionName: string, instanceId: string): Promise<CallProxy[]> {
    if (!options.inventory || functionName !== "createOrder") return [];
    const { url, prices } = options.inventory;
    const find = (id: string) => options.host().find(id);
    const toInventory = createInventoryBoundary({ faults, journal, prices, find });
    return [await startProxy(url, (call) => toInventory(call, instanceId))];
  }

  function subject(functionName: string, content: string): string {
    const order = journal.orderIn(content);
    const batchOf = functionName === "drainRefunds" || functionName === "sweepOrders";
    return order === undefined || batchOf ? functionName : `${functionName} of order ${order}`;
  }

  return {
    async open(functionName, instanceId) {
      const upstash = await startProxy(options.upstashUrl, (call) => toRedis(call, functionName, instanceId));
      const scheduler = await startProxy(options.schedulerUrl, (call) => toScheduler(call, functionName, instanceId));
      const inventory = await openInventory(functionName, instanceId);
      proxies.set(instanceId, [upstash, scheduler, ...inventory]);
      return { upstashUrl: upstash.url, schedulerUrl: scheduler.url, inventoryUrl: inventory[0]?.url ?? "" };
    },
    close(instanceId) {
      for (const proxy of proxies.get(instanceId) ?? []) proxy.stop();
      proxies.delete(instanceId);
      // At the end of a run the database may be gone before the last instance.
      claims.shorten(instanceId).catch(() => undefined);
    },
  };
}
