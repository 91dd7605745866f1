import type { Plugin } from "esbuild";
import { startScheduler } from "eventbridge-scheduler-local";
import { startUpstashGateway } from "upstash-rest-gateway";
import { z } from "zod";
import { timeoutMs } from "../../infra/serverless-yml.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../lambda-host/environment.ts";
import { createLambdaHost, type LambdaHost } from "../lambda-host/host.ts";
import { startHttpApi } from "../lambda-host/http-api.ts";
import { startInvokeEndpoint } from "../lambda-host/invoke-endpoint.ts";
import type { Outcome } from "../lambda-host/outcome.ts";
import { createBoundaries } from "./boundaries.ts";
import { STREAM_MAX_LENGTH } from "./consumer.ts";
import type { Context } from "./context.ts";
import { startDatabase } from "./database.ts";
import { createDeliveries } from "./deliveries.ts";
import { startInventory } from "./inventory.ts";

const Count = z.union([z.number(), z.array(z.number())]);

const INSTANCES: Readonly<Record<string, number>> = { createOrder: 10, getOrder: 2, completeOrder: 6, sweepOrders: 4 };
const INSTANCES_OF_OTHERS = 2;

/** The poller, the sweep and createOrder get less time than on AWS, so that they reach their time-out within a run. */
const MAX_TIMEOUT_MS = 15_000;

const MAX_SKEW_MS = 2_000;

const MAX_LINE_LENGTH = 600;

/** Lambda's and Scheduler's pauses before a retry are minutes; this many ms a failure are enough here. */
const RETRY_STEP_MS = 200;

export type ChaosStack = Awaited<ReturnType<typeof startStack>>;

/** The whole service on one machine: built bundles, real Redis, and faults at every boundary between them. */
export async function startStack(context: Context, plugins: Plugin[]) {
  const { options, chance, faults, journal, prices, metrics } = context;
  await using parts = new AsyncDisposableStack();
  const bundles = parts.use(await buildBundles(plugins));
  const database = parts.adopt(await startDatabase(), stop);
  const { url: upstashUrl } = parts.adopt(await startUpstashGateway({ redisUrl: database.url, token: TOKEN }), stop);
  const deliveries = createDeliveries(context, (event) => host.invoke("completeOrder", event));
  const deliver = (name: string, event: unknown) => (host.has(name) ? deliveries.deliver(event) : undefined);
  const { url: lambdaUrl } = parts.adopt(await startInvokeEndpoint(deliver), stop);
  const scheduler = await startScheduler({
    lambdaUrl,
    groups: [SCHEDULE_GROUP],
    retryDelayMs: (attempt) => RETRY_STEP_MS * attempt,
    concurrency: 50,
    log: () => undefined,
  });
  parts.adopt(scheduler, stop);
  const inventory = prices && parts.adopt(await startInventory(), stop);
  const boundaries = createBoundaries(context, {
    ...{ database, deliveries, upstashUrl, schedulerUrl: scheduler.url, inventoryUrl: inventory?.url },
    host: () => host,
  });
  const host: LambdaHost = parts.adopt(
    await createLambdaHost({
      bundles,
      concurrency: (name) => INSTANCES[name] ?? INSTANCES_OF_OTHERS,
      timeoutMs: (name) => Math.min(timeoutMs(name), MAX_TIMEOUT_MS),
      async environment(name, instanceId) {
        // No two machines have the same time.
        const skewMs = chance.between(`skew of ${instanceId}`, -MAX_SKEW_MS, MAX_SKEW_MS);
        return {
          ...functionEnvironment({ ...(await boundaries.open(name, instanceId)), skewMs }),
          COMPLETION: options.completion,
          COMPLETED_STREAM_MAX_LENGTH: String(STREAM_MAX_LENGTH),
        };
      },
      onExit: boundaries.close,
      onLine(line, _name, instanceId) {
        if (line.includes('"_aws"')) addMetrics(line, metrics);
        else journal.noteAll(line, `log of ${instanceId}: ${line.slice(0, MAX_LINE_LENGTH)}`);
      },
    }),
    stop,
  );
  // Before the host ends: nothing is done to the database for an instance that ends with the run.
  parts.defer(() => {
    faults.ended = true;
  });
  const { url: apiUrl } = parts.adopt(await startHttpApi(host.route, invoke), stop);

  async function invoke(name: string, event: unknown): Promise<Outcome> {
    const outcome = await host.invoke(name, event);
    // Before the instance handles another event: that one first has to be sent to it.
    if (outcome.ok && outcome.instanceId) prices?.noteReply(JSON.stringify(outcome.reply), outcome.instanceId);
    return outcome;
  }

  // From here on the caller ends them.
  const all = parts.move();
  return { apiUrl, scheduler, database, host, deliveries, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const stop = (part: { stop(): Promise<void> }): Promise<void> => part.stop();

/** Adds up what a log line in CloudWatch's embedded metric format counts. */
function addMetrics(line: string, metrics: Map<string, number>): void {
  for (const [name, value] of Object.entries(z.record(z.string(), z.unknown()).parse(JSON.parse(line)))) {
    const { data = [] } = Count.safeParse(value);
    for (const count of [data].flat()) metrics.set(name, (metrics.get(name) ?? 0) + count);
  }
}
