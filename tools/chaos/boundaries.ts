import type { LambdaHost } from "../lambda-host/host.ts";
import {
  INSTANCE_FAULTS,
  INVENTORY_FAULTS,
  passOn,
  RARE,
  REDIS_FAULTS,
  SCHEDULER_FAULTS,
  type Treatment,
} from "./call-faults.ts";
import type { Context } from "./context.ts";
import type { ChaosDatabase } from "./database.ts";
import type { Deliveries } from "./deliveries.ts";
import { type Call, type CallProxy, startProxy } from "./proxy.ts";

/** What createOrder holds of an Idempotency-Key while it asks for a price: the key in Redis, and its value. */
const CLAIM = /"(idempotency:\w+)","(claim:\w+)"/;

/** A claim lasts for 30 s; of an instance that has died this is enough, as no call of it is slower on its way. */
const CLAIM_LEFT_MS = "5000";

const SHORTEN = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end";

interface BoundariesOptions {
  readonly database: ChaosDatabase;
  readonly deliveries: Deliveries;
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Where prices are asked for; undefined in a run without them. */
  readonly inventoryUrl: string | undefined;
  readonly host: () => LambdaHost;
}

/** An instance whose calls are struck. */
interface Caller {
  readonly functionName: string;
  readonly instanceId: string;
}

/** What can strike at a boundary. */
interface Strike<Kind extends string> {
  readonly boundary: string;
  readonly faults: Readonly<Record<Kind, Treatment>>;
  readonly weights: Readonly<Partial<Record<NoInfer<Kind>, number>>>;
  /** The fault that strikes in any case. */
  readonly fate?: NoInfer<Kind> | undefined;
  /** What becomes of a call that is spared. */
  readonly spare?: Treatment;
}

/** What each instance calls: proxies of its own, so that it is known whose call a fault strikes. */
export function createBoundaries({ faults, journal, interceptor, prices }: Context, options: BoundariesOptions) {
  const { database, deliveries, inventoryUrl } = options;
  const proxies = new Map<string, CallProxy[]>();
  const claims = new Map<string, readonly string[]>();

  async function treat<Kind extends string>(call: Call, caller: Caller, strike: Strike<Kind>): Promise<void> {
    const { boundary, weights, fate, spare = passOn } = strike;
    const content = boundary === "redis" ? call.body : call.path;
    const kind = fate ?? faults.strike(boundary, subject(caller.functionName, content), strike.faults, weights);
    const struck = { call, instance: options.host().find(caller.instanceId) };
    if (!kind) return spare(struck);
    journal.noteAll(content, `${boundary}.${kind} strikes ${caller.instanceId}`);
    await strike.faults[kind](struck);
    faults.count(`${boundary}.${kind}`);
  }

  async function toRedis(call: Call, caller: Caller): Promise<void> {
    if (caller.functionName === "createOrder") {
      for (const pk of journal.learn(call.body)) prices?.notePlacing(pk, caller.instanceId);
      const claim = CLAIM.exec(call.body);
      if (claim) claims.set(caller.instanceId, claim);
    }
    await treat(call, caller, {
      boundary: "redis",
      faults: {
        ...REDIS_FAULTS,
        ...INSTANCE_FAULTS,
        async noscript(struck) {
          await database.direct((client) => client.scriptFlush());
          await passOn(struck);
        },
      },
      // Only a call that names a script by its hash can miss it.
      weights: { ...RARE, reset_after: 2, noscript: call.body.includes('"evalsha"') ? 1 : 0 },
      fate: caller.functionName === "drainRefunds" ? await interceptor.spring(call.body) : undefined,
    });
  }

  const toScheduler = (call: Call, caller: Caller) =>
    treat(call, caller, {
      boundary: "scheduler",
      faults: { ...SCHEDULER_FAULTS, ...INSTANCE_FAULTS },
      weights: { ...RARE, throttled: 2 },
      async spare() {
        const reply = await call.forward();
        await deliveries.deliverEarly(call);
        await call.answer(reply);
      },
    });

  async function toInventory(call: Call, caller: Caller): Promise<void> {
    if (!prices) return;
    const order = journal.orderIn(call.path) ?? 0;
    await treat(prices.noteQuestion(order, caller.instanceId, call), caller, {
      boundary: "inventory",
      faults: {
        ...INVENTORY_FAULTS,
        ...INSTANCE_FAULTS,
        async http_404(struck) {
          prices.denied.add(order);
          await INVENTORY_FAULTS.http_404(struck);
        },
      },
      weights: RARE,
    });
  }

  function subject(functionName: string, content: string): string {
    const order = journal.orderIn(content);
    const batchOf = functionName === "drainRefunds" || functionName === "sweepOrders";
    return order === undefined || batchOf ? functionName : `${functionName} of order ${order}`;
  }

  return {
    async open(functionName: string, instanceId: string) {
      const caller = { functionName, instanceId };
      const upstash = await startProxy(options.upstashUrl, (call) => toRedis(call, caller));
      const scheduler = await startProxy(options.schedulerUrl, (call) => toScheduler(call, caller));
      const asked = inventoryUrl && (await startProxy(inventoryUrl, (call) => toInventory(call, caller)));
      proxies.set(instanceId, [upstash, scheduler, ...(asked ? [asked] : [])]);
      return { upstashUrl: upstash.url, schedulerUrl: scheduler.url, inventoryUrl: asked ? asked.url : "" };
    },
    close(instanceId: string): void {
      for (const proxy of proxies.get(instanceId) ?? []) proxy.stop();
      proxies.delete(instanceId);
      const [, key, claim] = claims.get(instanceId) ?? [];
      if (key === undefined || claim === undefined || faults.ended) return;
      void database.direct((client) => client.eval(SHORTEN, { keys: [key], arguments: [claim, CLAIM_LEFT_MS] }));
    },
  };
}
