import {
  ClientClosedError,
  ClientOfflineError,
  DisconnectsClientError,
  ReconnectStrategyError,
  SocketClosedUnexpectedlyError,
} from "redis";
import type { LambdaHost } from "../lambda-host/host.ts";
import {
  INSTANCE_FAULTS,
  INSTANCE_WEIGHTS,
  passOn,
  REDIS_FAULTS,
  REDIS_WEIGHTS,
  SCHEDULER_FAULTS,
  SCHEDULER_WEIGHTS,
  type Treatment,
} from "./call-faults.ts";
import type { ChaosDatabase } from "./database.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Interceptor } from "./disasters.ts";
import type { Faults } from "./faults.ts";
import type { Journal } from "./history.ts";
import { createInventoryBoundary, type PriceBook } from "./inventory.ts";
import { type Call, type CallProxy, failUnlessNetwork, startProxy } from "./proxy.ts";

const CONNECTION_ERRORS = [
  ClientClosedError,
  ClientOfflineError,
  DisconnectsClientError,
  ReconnectStrategyError,
  SocketClosedUnexpectedlyError,
];

interface BoundariesOptions {
  readonly faults: Faults;
  readonly journal: Journal;
  readonly database: ChaosDatabase;
  readonly deliveries: Deliveries;
  readonly interceptor: Interceptor;
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Where prices are asked for, and what was told; undefined in a run without prices. */
  readonly inventory: { readonly url: string; readonly prices: PriceBook } | undefined;
  readonly host: () => LambdaHost;
}

interface Addresses {
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Empty for a function that asks for no prices. */
  readonly inventoryUrl: string;
}

/** What each instance calls: proxies of its own, so that it is known whose call a fault strikes. */
interface Boundaries {
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
    const fate = functionName === "drainRefunds" ? await options.interceptor.spring(call.body) : undefined;
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
    faults.count(`redis.${kind}`);
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
    faults.count(`scheduler.${kind}`);
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
      claims.shorten(instanceId).catch(failUnlessClosed);
    },
  };
}

/** A claim lasts for 30 s; of an instance that has died this many ms are enough, as no call of its is slower on its way. */
const LEFT_MS = 5_000;

const CLAIM = /"(idempotency:\w+)","(claim:\w+)"/;

const SHORTEN = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`;

/** Lets the time of claims pass faster whose instance can do nothing with them any more. */
interface Claims {
  /** Learns what an instance claims from its call of Redis. */
  learn(body: string, instanceId: string): void;
  /** The instance has ended. */
  shorten(instanceId: string): Promise<void>;
}

function createClaims(database: ChaosDatabase): Claims {
  const claims = new Map<string, { key: string; claim: string }>();

  return {
    learn(body, instanceId) {
      const [, key, claim] = CLAIM.exec(body) ?? [];
      if (key !== undefined && claim !== undefined) claims.set(instanceId, { key, claim });
    },
    async shorten(instanceId) {
      const held = claims.get(instanceId);
      if (!held) return;
      claims.delete(instanceId);
      const options = { keys: [held.key], arguments: [held.claim, String(LEFT_MS)] };
      await database.direct((client) => client.eval(SHORTEN, options));
    },
  };
}

/** The connection may end while a claim is shortened: Redis is killed, or the run is over. */
function failUnlessClosed(error: unknown): void {
  if (CONNECTION_ERRORS.some((type) => error instanceof type)) return;
  failUnlessNetwork(error);
}
