import type { Plugin } from "esbuild";
import { type SchedulerServer, startScheduler } from "eventbridge-scheduler-local";
import { startUpstashGateway, type UpstashGateway } from "upstash-rest-gateway";
import { startApiGateway } from "../lambda-host/api-gateway.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../lambda-host/environment.ts";
import { createLambdaHost, type LambdaHost } from "../lambda-host/host.ts";
import { startInvokeEndpoint } from "../lambda-host/invoke-endpoint.ts";
import { readTimeouts } from "../lambda-host/limits.ts";
import { createBoundaries } from "./boundaries.ts";
import { type ChaosDatabase, startDatabase } from "./database.ts";
import { createDeliveries, type Deliveries } from "./deliveries.ts";
import type { Interceptor } from "./disasters.ts";
import type { Faults, SeededRandom } from "./faults.ts";
import { createLog, type Journal } from "./history.ts";
import { type PriceBook, startInventory } from "./inventory.ts";

const INSTANCES: Readonly<Record<string, number>> = { createOrder: 10, getOrder: 2, completeOrder: 6 };
const INSTANCES_OF_OTHERS = 2;

/** The poller and the sweep get less time than on AWS, so that they come to its end within a run; so does createOrder. */
const MAX_TIMEOUT_MS = 15_000;

/** Lambda's and Scheduler's pauses before a retry are minutes; this many ms a failure are enough here. */
const RETRY_STEP_MS = 200;

export interface ChaosStack extends AsyncDisposable {
  readonly apiUrl: string;
  readonly schedulerUrl: string;
  readonly database: ChaosDatabase;
  readonly host: LambdaHost;
  readonly deliveries: Deliveries;
  /** How far the sweep's clock is ahead, in ms, for instances that start from now on. */
  sweepAheadMs: number;
}

export interface StackOptions {
  readonly chance: SeededRandom;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly interceptor: Interceptor;
  readonly plugins: Plugin[];
  /** Where what the inventory says is noted; without it there is none. */
  readonly prices: PriceBook | undefined;
  /** Gets every line that a function logs. */
  readonly onLine: (line: string) => void;
}

/** The whole service on one machine: built bundles, real Redis, and faults at every boundary between them. */
export async function startStack({
  chance,
  faults,
  journal,
  interceptor,
  plugins,
  prices,
  onLine,
}: StackOptions): Promise<ChaosStack> {
  const parts = new AsyncDisposableStack();
  try {
    const bundles = parts.use(await buildBundles(plugins));
    const database = parts.adopt(await startDatabase(), (started) => started.stop());
    const gateway = parts.adopt(await startUpstashGateway({ redisUrl: database.url, token: TOKEN }), stop);
    const timeoutMs = await readTimeouts();
    const deliveries = createDeliveries({
      chance,
      faults,
      journal,
      invoke: (event) => host.invoke("completeOrder", event),
    });
    const endpoint = parts.adopt(
      await startInvokeEndpoint((name, event) => (host.has(name) ? deliveries.deliver(event) : undefined)),
      stop,
    );
    const scheduler: SchedulerServer = parts.adopt(
      await startScheduler({
        lambdaUrl: endpoint.url,
        groups: [SCHEDULE_GROUP],
        retryDelayMs: (attempt) => RETRY_STEP_MS * attempt,
        concurrency: 50,
        log: () => undefined,
      }),
      stop,
    );
    const inventory = prices && { url: parts.adopt(await startInventory(), stop).url, prices };
    const upstashUrl = gateway.url;
    const schedulerUrl = scheduler.url;
    const boundaries = createBoundaries({
      faults,
      journal,
      database,
      deliveries,
      interceptor,
      upstashUrl,
      schedulerUrl,
      inventory,
      host: () => host,
    });
    const log = createLog(journal);
    const host: LambdaHost = parts.adopt(
      await createLambdaHost({
        bundles,
        concurrency: (name) => INSTANCES[name] ?? INSTANCES_OF_OTHERS,
        timeoutMs: (name) => Math.min(timeoutMs(name), MAX_TIMEOUT_MS),
        async environment(name, instanceId) {
          const addresses = await boundaries.open(name, instanceId);
          const aheadMs = name === "sweepOrders" ? stack.sweepAheadMs : 0;
          return functionEnvironment({ ...addresses, name, skewMs: aheadMs + skewOf(chance, instanceId) });
        },
        onOutcome(outcome, instanceId) {
          if (outcome.ok) prices?.noteReply(JSON.stringify(outcome.reply), instanceId);
        },
        onExit: boundaries.close,
        onLine(line, functionName, instanceId) {
          onLine(line);
          log(line, functionName, instanceId);
        },
      }),
      stop,
    );
    const api = parts.adopt(await startApiGateway(host.route, host.invoke), stop);
    const stack = Object.assign(
      { apiUrl: api.url, schedulerUrl, database, host, deliveries, sweepAheadMs: 0 },
      { [Symbol.asyncDispose]: () => parts.disposeAsync() },
    );
    return stack;
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

const stop = (part: Pick<UpstashGateway, "stop">): Promise<void> => part.stop();

/** No two machines have the same time: each instance is up to 2 seconds ahead or behind. */
function skewOf(chance: SeededRandom, instanceId: string): number {
  return chance.between(`skew of ${instanceId}`, -2_000, 2_000);
}
