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
import { type Call, startProxy } from "./proxy.ts";

/** What createOrder holds of an Idempotency-Key while it asks for a price: the key in Redis, and its value. */
const CLAIM = /"(idempotency:\w+)","(claim:\w+)"/;

/** A claim lasts for 30 s. After an instance has died this is enough, because none of its calls takes longer. */
const CLAIM_LEFT_MS = "5000";

const SHORTEN = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end";

interface Servers {
  readonly database: ChaosDatabase;
  readonly deliveries: Deliveries;
  readonly upstashUrl: string;
  readonly schedulerUrl: string;
  /** Where prices are asked for; undefined in a run without them. */
  readonly inventoryUrl: string | undefined;
  readonly host: () => LambdaHost;
}

/** The proxies that an instance calls. Each instance has its own, which shows whose call a fault hits. */
export function createBoundaries({ options, faults, journal, interceptor, prices }: Context, servers: Servers) {
  const { database, deliveries, upstashUrl, schedulerUrl, inventoryUrl } = servers;
  const closers = new Map<string, () => void>();

  async function open(functionName: string, instanceId: string) {
    const settlesBatches = functionName === "drainRefunds" || functionName === "sweepOrders";
    let claim: readonly string[] | null = null;

    /**
     * Passes a call on, with or without a fault.
     * @param content the text that names the order
     * @param fate a fault that happens in any case
     */
    async function treat(
      boundary: string,
      call: Call,
      content: string,
      kinds: Readonly<Record<string, Treatment>>,
      weights: Readonly<Record<string, number>>,
      { spare = passOn, fate }: { spare?: Treatment; fate?: string | undefined } = {},
    ): Promise<void> {
      const order = settlesBatches ? undefined : journal.orderIn(content);
      const subject = order === undefined ? functionName : `${functionName} of order ${order}`;
      const kind = fate ?? faults.strike(boundary, subject, kinds, weights) ?? "";
      const intercepted = { call, instance: servers.host().find(instanceId) };
      const treatment = kinds[kind];
      if (!treatment) return spare(intercepted);
      journal.noteAll(content, `${boundary}.${kind} hits ${instanceId}`);
      await treatment(intercepted);
      faults.count(`${boundary}.${kind}`);
    }

    async function noscript({ call }: { readonly call: Call }): Promise<void> {
      await database.direct((client) => client.scriptFlush());
      await passOn({ call });
    }

    async function toRedis(call: Call): Promise<void> {
      if (functionName === "createOrder") {
        for (const pk of journal.learn(call.body)) prices?.notePlacing(pk, instanceId);
        claim = CLAIM.exec(call.body) ?? claim;
      }
      // Only a call that names a script by its hash can miss it.
      const weights = { ...RARE, reset_after: 2, noscript: call.body.includes('"evalsha"') ? 1 : 0 };
      const fate = faults.ended ? undefined : await interceptor.intercept(functionName, call);
      await treat("redis", call, call.body, { ...REDIS_FAULTS, ...INSTANCE_FAULTS, noscript }, weights, { fate });
    }

    async function toScheduler(call: Call): Promise<void> {
      if (options.completion === "sweep")
        throw new Error("A schedule was created, although the sweep completes orders");
      async function spare(): Promise<void> {
        const reply = await call.forward();
        await deliveries.deliverEarly(call);
        await call.answer(reply);
      }
      const kinds = { ...SCHEDULER_FAULTS, ...INSTANCE_FAULTS };
      await treat("scheduler", call, call.path, kinds, { ...RARE, throttled: 2 }, { spare });
    }

    async function toInventory(call: Call): Promise<void> {
      const order = journal.orderIn(call.path) ?? 0;
      const asked = prices?.noteQuestion(order, instanceId, call) ?? call;
      const http_404: Treatment = (intercepted) => {
        prices?.denied.add(order);
        return INVENTORY_FAULTS.http_404(intercepted);
      };
      const fate = prices?.isDown.has(order) ? "http_500" : undefined;
      await treat("inventory", asked, call.path, { ...INVENTORY_FAULTS, ...INSTANCE_FAULTS, http_404 }, RARE, { fate });
    }

    const upstash = await startProxy(upstashUrl, toRedis);
    const scheduler = await startProxy(schedulerUrl, toScheduler);
    const inventory = inventoryUrl === undefined ? undefined : await startProxy(inventoryUrl, toInventory);
    closers.set(instanceId, () => {
      for (const proxy of [upstash, scheduler, inventory]) proxy?.stop();
      const [, key = "", value = ""] = claim ?? [];
      if (!claim || faults.ended) return;
      void database.direct((client) => client.eval(SHORTEN, { keys: [key], arguments: [value, CLAIM_LEFT_MS] }));
    });
    return { upstashUrl: upstash.url, schedulerUrl: scheduler.url, inventoryUrl: inventory?.url ?? "" };
  }

  return {
    open,
    close(instanceId: string): void {
      closers.get(instanceId)?.();
      closers.delete(instanceId);
    },
  };
}
