import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { IncomingMessage } from "node:http";
import { createClient } from "@redis/client";
import { startScheduler } from "eventbridge-scheduler-local";
import { startUpstashGateway } from "upstash-rest-gateway";
import { z } from "zod";
import { memoryMb, timeoutMs } from "../../infra/serverless-yml.ts";
import type { Completion } from "../../lib/orders/completion-delay.ts";
import { startRedis } from "../../local/redis/redis-server.ts";
import { type Bundles, buildBundles } from "../lambda-host/bundles.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../lambda-host/environment.ts";
import { createLambdaHost } from "../lambda-host/host.ts";
import { startHttpApi } from "../lambda-host/http-api.ts";
import { startInvokeEndpoint } from "../lambda-host/invoke-endpoint.ts";
import type { Outcome, Usage } from "../lambda-host/outcome.ts";
import type { RecordedRequest } from "./baseline.ts";

/** Longer than any run: a held schedule does not fire. */
export const HELD_MS = 86_400_000;

const MINUTE_MS = 60_000;

/**
 * What connections and the local gateway send for themselves, and the commands of this module that read and reset these numbers and wait
 * for completions.
 */
const HOUSEKEEPING = /^(hello|info|auth|select|ping|command|client\|.+|config\|.+|xinfo\|consumers|zcard)$/;
const COMMAND_STATISTIC = /^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm;

/** Node publishes every request that a server of this process gets (https://nodejs.org/api/diagnostics_channel.html, "HTTP"). */
const REQUEST_START = "http.server.request.start";

/** Set by the client for each request. */
const CONNECTION_HEADERS = /^(host|connection|content-length|transfer-encoding)$/i;

const RequestStart = z.object({ request: z.instanceof(IncomingMessage) });
const HttpReply = z.object({ statusCode: z.int() });

export type RedisClient = ReturnType<typeof connection>;

export type MeasuredStack = Awaited<ReturnType<typeof startStack>>;

/** A stack for each way of completion. */
export type Stacks = Readonly<Record<Completion, MeasuredStack>>;

interface StackOptions {
  /** Built by the caller of several stacks; by default the functions of serverless.yml, for this one. */
  readonly bundles?: Pick<Bundles, "paths" | "runtime">;
  /** Concurrent instances of each function. Default 1. */
  readonly concurrency?: number;
  /** Who completes orders. Default `scheduler`. */
  readonly completion?: Completion;
  /** Orders get prices from the inventory at this address. Default: no prices. */
  readonly inventoryUrl?: string;
  /** How late a schedule fires, in ms. Default: on time. */
  readonly scheduleDelayMs?: () => number;
}

/** Starts the built functions on real Redis, behind the Upstash gateway, with EventBridge Scheduler. */
export async function startStack(options: StackOptions = {}) {
  const { bundles, concurrency = 1, completion, inventoryUrl = "", scheduleDelayMs = () => 0 } = options;
  await using parts = new AsyncDisposableStack();
  const { url: redisUrl } = parts.adopt(await startRedis(), stop);
  const redis = parts.adopt(connection(redisUrl), (client) => client.destroy());
  await redis.connect();
  const upstash = parts.adopt(await startUpstashGateway({ redisUrl, token: TOKEN }), stop);
  const deliver = (name: string, event: unknown): Promise<Outcome> | undefined =>
    host.has(name) ? host.invoke(name, event) : undefined;
  const lambda = parts.adopt(await startInvokeEndpoint(deliver), stop);
  const schedulerOptions = { lambdaUrl: lambda.url, groups: [SCHEDULE_GROUP], log: () => undefined };
  const scheduler = parts.adopt(await startScheduler({ ...schedulerOptions, delayMs: scheduleDelayMs }), stop);
  const environment = functionEnvironment({
    ...{ upstashUrl: upstash.url, schedulerUrl: scheduler.url, inventoryUrl },
    ...{ completion, skewMs: 0 },
  });
  const logBytes = new Map<string, number>();
  const host = parts.adopt(
    await createLambdaHost({
      bundles: bundles ?? parts.use(await buildBundles()),
      concurrency: () => concurrency,
      timeoutMs,
      memoryMb,
      environment: async () => environment,
      onLine: (line, name) => void logBytes.set(name, (logBytes.get(name) ?? 0) + Buffer.byteLength(line) + 1),
    }),
    stop,
  );
  const api = parts.adopt(await startHttpApi(host.route, host.invoke), stop);
  const running = parts.move();

  return {
    apiUrl: api.url,
    upstashUrl: upstash.url,
    /** The database itself, without the gateway: to fill it, and for `INFO commandstats`, which counts commands inside scripts. */
    redis,
    /** @throws Error when the function failed or replied with an error: fast failures must not count as fast calls */
    async call(name: string, event: unknown): Promise<Usage & { readonly reply: unknown }> {
      const outcome = await host.invoke(name, event);
      if (!outcome.ok) throw new Error(`${name} failed: ${outcome.errorType} ${outcome.errorMessage}`);
      const { data } = HttpReply.safeParse(outcome.reply);
      if (data && data.statusCode >= 400) throw new Error(`${name} replied ${JSON.stringify(outcome.reply)}`);
      if (!outcome.usage) throw new Error(`${name} did not report its usage`);
      return { ...outcome.usage, reply: outcome.reply };
    },
    /** How often each command has run since the statistics were reset, in scripts too (https://redis.io/docs/latest/commands/info/). */
    async commands(): Promise<ReadonlyMap<string, number>> {
      const statistics = (await redis.info("commandstats")).matchAll(COMMAND_STATISTIC);
      const counted = [...statistics].map(({ groups }) => [groups?.name ?? "", Number(groups?.calls)] as const);
      return new Map(counted.filter(([name]) => !HOUSEKEEPING.test(name)));
    },
    /** Ends a function's instances: its next event is a cold start. Its whole log is counted by then. */
    recycle: host.recycle,
    /** What a function has written to its log so far, in UTF-8, line ends included. */
    logBytes: (name: string) => logBytes.get(name) ?? 0,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Starts a stack for each way of completion. */
export async function startStacks(options: StackOptions): Promise<Stacks & AsyncDisposable> {
  await using parts = new AsyncDisposableStack();
  const scheduler = parts.use(await startStack({ ...options, completion: "scheduler" }));
  const sweep = parts.use(await startStack({ ...options, completion: "sweep" }));
  const running = parts.move();
  return { scheduler, sweep, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/**
 * Starts `sweepOrders` now and once a minute, as `rate(1 minute)` does: with `sweep` each run lasts until after the next one started.
 * @returns the usage of the runs that have ended; disposing of it ends the others
 * @throws Error, which cannot be caught, when a run fails: the next one would hide it
 */
export function keepSweeping(stack: MeasuredStack) {
  const ended: Usage[] = [];
  let stopped = false;
  async function run(): Promise<void> {
    try {
      ended.push(await stack.call("sweepOrders", {}));
    } catch (error) {
      if (!stopped) throw error;
    }
  }
  void run();
  const timer = setInterval(run, MINUTE_MS);
  async function dispose(): Promise<void> {
    stopped = true;
    clearInterval(timer);
    await stack.recycle("sweepOrders");
  }
  return { ended, [Symbol.asyncDispose]: dispose };
}

const stop = (part: { stop(): Promise<void> }): Promise<void> => part.stop();

function connection(url: string) {
  // No time-out: among thousands of commands at once the last one waits longer than the default.
  return createClient({ url, disableOfflineQueue: true, commandOptions: { timeout: 0 } });
}

/** The HTTP requests that the servers of this process get while `work` runs: a proxy would slow every call down. */
export async function recordRequests(work: () => Promise<unknown>): Promise<RecordedRequest[]> {
  const recorded: { readonly request: IncomingMessage; readonly chunks: Buffer[] }[] = [];
  function observe(message: unknown): void {
    const { request } = RequestStart.parse(message);
    const chunks: Buffer[] = [];
    recorded.push({ request, chunks });
    const push = request.push.bind(request);
    request.push = (chunk, encoding) => {
      if (chunk instanceof Buffer) chunks.push(chunk);
      return push(chunk, encoding);
    };
  }
  subscribe(REQUEST_START, observe);
  try {
    await work();
  } finally {
    unsubscribe(REQUEST_START, observe);
  }
  return recorded.map(({ request: { headers, method = "GET", url }, chunks }) => ({
    url: `http://${headers.host}${url}`,
    method,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !CONNECTION_HEADERS.test(name))),
    body: Buffer.concat(chunks).toString(),
  }));
}
