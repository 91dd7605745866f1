import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { IncomingMessage } from "node:http";
import { startScheduler } from "eventbridge-scheduler-local";
import { createClient } from "redis";
import { startUpstashGateway } from "upstash-rest-gateway";
import { z } from "zod";
import type { Completion } from "../../lib/orders/completion-delay.ts";
import { startRedis } from "../../local/redis/redis-server.ts";
import { readMemorySizes, readTimeouts } from "../../test/support/bundle.ts";
import { startApiGateway } from "../lambda-host/api-gateway.ts";
import { type Bundles, buildBundles } from "../lambda-host/bundles.ts";
import { functionEnvironment, SCHEDULE_GROUP, TOKEN } from "../lambda-host/environment.ts";
import { createLambdaHost } from "../lambda-host/host.ts";
import { startInvokeEndpoint } from "../lambda-host/invoke-endpoint.ts";
import type { Outcome, Usage } from "../lambda-host/messages.ts";
import type { RecordedRequest } from "./baseline.ts";

/** Longer than any run: a held schedule does not fire. */
const HELD_MS = 86_400_000;

const MINUTE_MS = 60_000;

/** Node publishes every request that a server of this process gets (https://nodejs.org/api/diagnostics_channel.html, "HTTP"). */
const REQUEST_START = "http.server.request.start";

/** Set by the client for each request. */
const CONNECTION_HEADERS = /^(host|connection|content-length|transfer-encoding)$/i;

const RequestStart = z.object({ request: z.instanceof(IncomingMessage) });
const HttpReply = z.object({ statusCode: z.int() });

export type RedisClient = ReturnType<typeof connection>;

export type MeasuredStack = Awaited<ReturnType<typeof startStack>>;

interface StackOptions {
  /** Built by the caller of several stacks; by default the functions of serverless.yml, for this one. */
  readonly bundles?: Pick<Bundles, "paths" | "runtime">;
  /** Concurrent instances of each function. Default 1. */
  readonly concurrency?: number;
  /** Schedules are accepted and never fire, so that completions do not disturb what is measured. Default false. */
  readonly holdSchedules?: boolean;
  /** Who completes orders; by default schedules do. */
  readonly completion?: Completion;
  /** Orders get prices from the inventory at this address. Default: no prices. */
  readonly inventoryUrl?: string;
}

/** Starts the built functions on real Redis, behind the Upstash gateway, with EventBridge Scheduler. */
export async function startStack({ bundles, concurrency = 1, holdSchedules, ...given }: StackOptions = {}) {
  await using parts = new AsyncDisposableStack();
  const { url: redisUrl } = parts.adopt(await startRedis(), stop);
  const redis = parts.adopt(connection(redisUrl), (client) => client.destroy());
  await redis.connect();
  const upstash = parts.adopt(await startUpstashGateway({ redisUrl, token: TOKEN }), stop);
  const deliver = (name: string, event: unknown): Promise<Outcome> | undefined =>
    host.has(name) ? host.invoke(name, event) : undefined;
  const lambda = parts.adopt(await startInvokeEndpoint(deliver), stop);
  const held = holdSchedules && { delayMs: () => HELD_MS };
  const schedulerOptions = { lambdaUrl: lambda.url, groups: [SCHEDULE_GROUP], log: () => undefined, ...held };
  const scheduler = parts.adopt(await startScheduler(schedulerOptions), stop);
  const [timeoutMs, memoryMb] = await Promise.all([readTimeouts(), readMemorySizes()]);
  const { completion, inventoryUrl = "" } = given;
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
  if (completion === "sweep") parts.defer(everyMinute(() => host.invoke("sweepOrders", {})));
  const api = parts.adopt(await startApiGateway(host.route, host.invoke), stop);
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
    /** Ends a function's instances: its next event is a cold start. Its whole log is counted by then. */
    recycle: host.recycle,
    /** What a function has written to its log so far, in UTF-8, line ends included. */
    logBytes: (name: string) => logBytes.get(name) ?? 0,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Calls now and then once a minute. @returns ends the calls */
function everyMinute(call: () => Promise<unknown>): () => void {
  void call();
  const timer = setInterval(call, MINUTE_MS);
  return () => clearInterval(timer);
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
