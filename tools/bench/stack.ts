import { startScheduler } from "eventbridge-scheduler-local";
import { createClient } from "redis";
import { startUpstashGateway } from "upstash-rest-gateway";
import { startRedis } from "../../local/redis/server.ts";
import { startApiGateway } from "../../test/lambda/api-gateway.ts";
import { type Bundles, buildBundles } from "../../test/lambda/bundles.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../../test/lambda/environment.ts";
import { createLambdaHost } from "../../test/lambda/host.ts";
import type { Outcome } from "../../test/lambda/instance.ts";
import { startInvokeEndpoint } from "../../test/lambda/invoke-endpoint.ts";
import { readMemorySizes, readTimeouts } from "../../test/lambda/limits.ts";
import type { Router } from "../../test/lambda/routes.ts";
import { createMeter, type FunctionUsage } from "./meter.ts";
import { countRequests } from "./request-counter.ts";

/** A schedule is fired up to so late: no run lasts so long. */
const HELD_MS = 86_400_000;

export type RedisClient = ReturnType<typeof connection>;

/** An event that EventBridge Scheduler handed to Lambda. */
export interface Delivery {
  readonly event: unknown;
  readonly outcome: Outcome;
  /** When Lambda had handled it, in ms since the epoch. */
  readonly endedMs: number;
}

/** How many HTTP requests each server has got. */
export interface Requests {
  readonly api: number;
  readonly upstash: number;
  readonly scheduler: number;
}

/** The whole service on one machine, with its meters. */
export interface MeasuredStack extends AsyncDisposable {
  /** Where the HTTP API is; its functions are invoked, and metered, as by `invoke`. */
  readonly apiUrl: string;
  readonly route: Router;
  /** The database itself, past the gateway: to fill it, and for `INFO commandstats`, which has commands inside scripts. */
  readonly redis: RedisClient;
  /** @throws Error when there is no such function; a function that fails is an outcome */
  invoke(functionName: string, event: unknown): Promise<Outcome>;
  /** Ends a function's instances: its next event is a cold start. All that it has logged is metered by then. */
  recycle(functionName: string): Promise<void>;
  usageOf(functionName: string): FunctionUsage;
  requests(): Requests;
  /** What Scheduler has delivered, in the order of the ends. */
  readonly deliveries: readonly Delivery[];
}

export interface StackOptions {
  /** Built by whoever starts several stacks; by default the functions of serverless.yml, for this one. */
  readonly bundles?: Pick<Bundles, "paths" | "runtime">;
  /** Instances at once of each function; by default 1. */
  readonly concurrency?: (functionName: string) => number;
  /** The inventory that tells prices; by default there is none. */
  readonly inventoryUrl?: string;
  /** Schedules are taken and never fired, so that completions do not disturb what is measured. Default false. */
  readonly holdSchedules?: boolean;
}

/** Starts the built functions on real Redis, behind the Upstash gateway, with EventBridge Scheduler: nothing between them. */
export async function startStack(options: StackOptions = {}): Promise<MeasuredStack> {
  const parts = new AsyncDisposableStack();
  try {
    const meter = createMeter();
    const requests = parts.adopt(countRequests(), (counter) => counter.stop());
    const bundles = options.bundles ?? parts.use(await buildBundles());
    const { url: redisUrl } = parts.adopt(await startRedis(), stop);
    const redis = parts.adopt(connection(redisUrl), (client) => client.destroy());
    await redis.connect();
    const gateway = parts.adopt(await startUpstashGateway({ redisUrl, token: TOKEN }), stop);
    const deliveries: Delivery[] = [];
    const endpoint = parts.adopt(await startInvokeEndpoint(deliver), stop);
    const scheduler = parts.adopt(
      await startScheduler({
        lambdaUrl: endpoint.url,
        groups: [SCHEDULE_GROUP],
        log: () => undefined,
        ...(options.holdSchedules && { maxDelayMs: HELD_MS, random: () => 1 }),
      }),
      stop,
    );
    const [timeoutMs, memoryMb] = await Promise.all([readTimeouts(), readMemorySizes()]);
    const host = parts.adopt(
      await createLambdaHost({
        bundles,
        concurrency: options.concurrency ?? (() => 1),
        timeoutMs,
        memoryMb,
        environment: async (name) =>
          functionEnvironment({
            name,
            upstashUrl: gateway.url,
            schedulerUrl: scheduler.url,
            inventoryUrl: options.inventoryUrl ?? "",
            skewMs: 0,
          }),
        onLine: (line, name) => meter.countLine(name, line),
      }),
      stop,
    );
    const api = parts.adopt(await startApiGateway(host.route, invoke), stop);

    async function invoke(functionName: string, event: unknown): Promise<Outcome> {
      const outcome = await host.invoke(functionName, event);
      meter.countOutcome(functionName, outcome);
      return outcome;
    }

    function deliver(functionName: string, event: unknown): Promise<Outcome> | undefined {
      return host.has(functionName) ? delivered(functionName, event) : undefined;
    }

    async function delivered(functionName: string, event: unknown): Promise<Outcome> {
      const outcome = await invoke(functionName, event);
      deliveries.push({ event, outcome, endedMs: Date.now() });
      return outcome;
    }

    return {
      apiUrl: api.url,
      route: host.route,
      redis,
      invoke,
      recycle: host.recycle,
      usageOf: meter.of,
      requests: () => ({
        api: requests.at(api.url),
        upstash: requests.at(gateway.url),
        scheduler: requests.at(scheduler.url),
      }),
      deliveries,
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

const stop = (part: { stop(): Promise<void> }): Promise<void> => part.stop();

function connection(url: string) {
  // No time-out: among thousands of commands at once the last waits longer than its default.
  return createClient({ url, disableOfflineQueue: true, commandOptions: { timeout: 0 } });
}
