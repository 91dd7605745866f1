import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import autocannon from "autocannon";
import pLimit from "p-limit";
import pRetry from "p-retry";
import { z } from "zod";
import type { Completion } from "../../lib/orders/completion-delay.ts";
import { reasonOf } from "../../local/error-reason.ts";
import { Failure } from "../../tools/command.ts";
import { ORDER_BODY } from "./orders.ts";
import { interleave, median, type Row } from "./statistics.ts";

const MAX_BURST_SECONDS = 10;
/** How many times as many orders per second `sweep` takes as `scheduler`, at this many connections. */
const MIN_SWEEP_RATIO = 2.5;
const COMPARED_CONNECTIONS = 32;
const BURST_CONNECTIONS = 32;
const BURST_TIMEOUT_MS = 180_000;
const POLL_INTERVAL_MS = 50;

const JSON_POST = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(ORDER_BODY),
} as const;

const Load = z.object({
  perSecond: z.number(),
  /** Requests without a reply, or with one that is not 2xx. */
  failed: z.int(),
  latenciesMs: z.array(z.number()),
});
type Load = z.infer<typeof Load>;

/** Any order service: `id` where it does not call the key of an order `pk`. */
const Key = z.union([z.string(), z.int()]).transform(String);
const PlacedOrder = z
  .union([z.object({ pk: Key }), z.object({ id: Key })])
  .transform((order) => ("pk" in order ? order.pk : order.id));
const FoundOrder = z.object({ status: z.string() });

/** The requests whose throughput is measured. */
export const HTTP_REQUESTS = ["GET /orders/{pk}", "POST /orders"] as const;
export type HttpRequest = (typeof HTTP_REQUESTS)[number];

interface LoadSettings {
  readonly connections: readonly number[];
  readonly rounds: number;
  /** Requests before a measurement: V8 takes hundreds until it has compiled what is used most. */
  readonly warmUp: number;
  /** How long each load lasts, in seconds. */
  readonly seconds: number;
  /**
   * For how many seconds orders are placed before the measurement of new orders starts. With 6 of them it measures placing while as
   * many orders are completed, and those of the turn before are completed by then.
   */
  readonly leadSeconds: number;
}

interface BurstSettings {
  readonly rounds: number;
  /** How many orders a burst places. */
  readonly burst: number;
}

export type HttpSettings = LoadSettings & BurstSettings;
export type HttpResults = Awaited<ReturnType<typeof measureHttp>>;
type HttpLoads = Awaited<ReturnType<typeof measureLoads>>;
type Log = (line: string) => void;

/**
 * Measures order services over HTTP, in turns: bursts, then reads, then new orders.
 * @param urls where each service has `/orders` and `/orders/{pk}`
 * @returns by service, then by round: each load, and the seconds from the first request until the last order of a burst is completed
 * @throws Error when a request fails: failures are fast
 */
export async function measureHttp(urls: readonly string[], settings: HttpSettings, log: Log) {
  const burstSeconds = await measureBursts(urls, settings, log);
  const loads: HttpLoads[number][] = [];
  for (const name of HTTP_REQUESTS) loads.push(...(await measureLoads(urls, name, settings, log)));
  return { loads, burstSeconds };
}

/** Measures bursts alone, as `measureHttp` does. */
export async function measureBursts(urls: readonly string[], { rounds, burst }: BurstSettings, log: Log) {
  for (const url of urls) await completeBurst(url, burst);
  return inTurns(urls, rounds, `${burst} orders`, log, (url) => completeBurst(url, burst));
}

/** Measures the load of one request alone, as `measureHttp` does. */
export async function measureLoads(
  urls: readonly string[],
  name: HttpRequest,
  { connections, rounds, warmUp, seconds, leadSeconds }: LoadSettings,
  log: Log,
) {
  const pks = await Promise.all(urls.map(placeOrder));
  const requestOf = (url: string, service: number) =>
    name === "POST /orders" ? { url: `${url}/orders`, ...JSON_POST } : { url: `${url}/orders/${pks[service]}` };
  for (const [service, url] of urls.entries()) {
    await drive({ ...requestOf(url, service), connections: 4, amount: warmUp });
  }
  const loads = [];
  for (const count of connections) {
    const measure = `${name}, ${connectionsText(count)}`;
    const ofServices = await inTurns(urls, rounds, measure, log, async (url, service) => {
      const load = { ...requestOf(url, service), connections: count };
      if (name === "POST /orders" && leadSeconds > 0) await drive({ ...load, duration: leadSeconds });
      return drive({ ...load, duration: seconds });
    });
    loads.push({ name, connections: count, measure, loads: ofServices });
  }
  return loads;
}

async function inTurns<Result>(
  urls: readonly string[],
  rounds: number,
  what: string,
  log: Log,
  measure: (url: string, service: number) => Promise<Result>,
): Promise<Result[][]> {
  const sides = urls.map((url, service) => () => {
    log(`${what} at ${url}`);
    return measure(url, service);
  });
  return (await interleave(sides, rounds)).map((results) => results.flat());
}

/** The loads of this service, with each way of completion after the first compared with the first. */
export function loadRows(loads: HttpLoads, completions: readonly Completion[]): Row[] {
  return loads.flatMap(({ name, connections, measure, loads: services }) => {
    const baseline = perSecond(services[0] ?? []);
    return services.map((rounds, index): Row => {
      const row = { group: "throughput", name, at: connections, unit: "/s", value: perSecond(rounds) } as const;
      if (index === 0) return { ...row, measure };
      const atLeast = connections === COMPARED_CONNECTIONS ? MIN_SWEEP_RATIO : undefined;
      const completion = completions[index];
      return { ...row, measure: `${measure}, ${completion}`, name: `${name}, ${completion}`, baseline, atLeast };
    });
  });
}

export function burstRow([seconds = []]: readonly (readonly number[])[], burst: number): Row {
  const measure = `${burst} orders at once, until the last is completed`;
  return { group: "burst", measure, name: "burst", unit: "s", value: median(seconds), atMost: MAX_BURST_SECONDS };
}

export const perSecond = (loads: readonly Load[]): number => median(loads.map((load) => load.perSecond));

/** A round may have too few replies for a percentile. */
export const latenciesOf = (loads: readonly Load[]): number[] => loads.flatMap(({ latenciesMs }) => latenciesMs);

export const connectionsText = (count: number): string => `${count} connection${count === 1 ? "" : "s"}`;

/** @returns seconds from the first request until the last order is completed */
async function completeBurst(url: string, orders: number): Promise<number> {
  const startedAt = performance.now();
  let pending = await placeOrders(url, orders);
  while (pending.length > 0) {
    if (performance.now() - startedAt > BURST_TIMEOUT_MS) throw new Error(`${pending.length} orders are not completed`);
    const sample = pending.slice(0, BURST_CONNECTIONS);
    const completed = await Promise.all(sample.map((pk) => isCompleted(url, pk)));
    if (!completed.includes(true)) await sleep(POLL_INTERVAL_MS);
    pending = pending.filter((_, index) => !completed[index]);
  }
  return (performance.now() - startedAt) / 1_000;
}

/** Places orders as fast as the service takes them. */
export function placeOrders(url: string, orders: number): Promise<string[]> {
  return pLimit(BURST_CONNECTIONS).map(Array.from({ length: orders }), () => placeOrder(url));
}

export async function placeOrder(url: string): Promise<string> {
  return PlacedOrder.parse(await fetchJson(`${url}/orders`, JSON_POST));
}

async function isCompleted(url: string, pk: string): Promise<boolean> {
  // A server may close an idle connection just when it is used again.
  const reply = await pRetry(() => fetchJson(`${url}/orders/${pk}`), { retries: 2, minTimeout: 0 });
  return FoundOrder.parse(reply).status === "completed";
}

async function fetchJson(url: string, init?: RequestInit): Promise<unknown> {
  const reply = await fetch(url, init).catch((cause: unknown) => {
    throw new Failure(`Nothing answers at ${url} (${reasonOf(cause)})`, { cause });
  });
  if (!reply.ok) {
    throw new Failure(`${init?.method ?? "GET"} ${url} was answered ${reply.status}: ${await reply.text()}`);
  }
  return reply.json();
}

/** In a process of its own: in this one, the load would wait for the servers' turns of the event loop. */
async function drive(options: autocannon.Options): Promise<Load> {
  const args = [import.meta.filename, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: Number.POSITIVE_INFINITY });
  const load = Load.parse(JSON.parse(stdout));
  if (load.failed > 0) throw new Error(`${load.failed} requests to ${options.url} failed`);
  return load;
}

if (import.meta.main) {
  const latenciesMs: number[] = [];
  // autocannon's own histogram has whole milliseconds.
  const setupClient = (client: autocannon.Client) =>
    client.on("response", (_status, _bytes, latencyMs) => latenciesMs.push(latencyMs));
  const options: autocannon.Options = JSON.parse(process.argv[2] ?? "");
  const { requests, errors, timeouts, non2xx } = await autocannon({ ...options, setupClient });
  const load: Load = { perSecond: requests.average, failed: errors + timeouts + non2xx, latenciesMs };
  process.stdout.write(JSON.stringify(load));
}
