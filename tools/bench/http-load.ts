import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import autocannon from "autocannon";
import pLimit from "p-limit";
import pRetry from "p-retry";
import { z } from "zod";
import { reasonOf } from "../../local/error-reason.ts";
import { Failure } from "../command.ts";
import { ORDER_BODY } from "./orders.ts";
import { interleave, median, type Row } from "./statistics.ts";

const MAX_BURST_SECONDS = 10;
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

interface HttpSettings {
  readonly connections: readonly number[];
  readonly rounds: number;
  /** Requests before a measurement: V8 takes hundreds until it has compiled what is used most. */
  readonly warmUp: number;
  /** How long each load lasts, in seconds. */
  readonly seconds: number;
  /** How many orders a burst places. */
  readonly burst: number;
}

export type HttpResults = Awaited<ReturnType<typeof measureHttp>>;

/**
 * Measures order services over HTTP, in turns: bursts, then reads, then new orders. Completions of the orders placed run
 * meanwhile, as they do in production.
 * @param urls where each service has `/orders` and `/orders/{pk}`
 * @returns by service, then by round: each load, and the seconds from the first request until the last order of a burst is completed
 * @throws Error when a request fails: failures are fast
 */
export async function measureHttp(
  urls: readonly string[],
  { connections, rounds, warmUp, seconds, burst }: HttpSettings,
  log: (line: string) => void,
) {
  async function inTurns<Result>(what: string, measure: (url: string, service: number) => Promise<Result>) {
    const sides = urls.map((url, service) => () => {
      log(`${what} at ${url}`);
      return measure(url, service);
    });
    return (await interleave(sides, rounds)).map((results) => results.flat());
  }

  for (const url of urls) await completeBurst(url, burst);
  const burstSeconds = await inTurns(`${burst} orders`, (url) => completeBurst(url, burst));
  const pks = await Promise.all(urls.map(placeOrder));
  const loads = [];
  for (const name of ["GET /orders/{pk}", "POST /orders"] as const) {
    const requestOf = (url: string, service: number) =>
      name === "POST /orders" ? { url: `${url}/orders`, ...JSON_POST } : { url: `${url}/orders/${pks[service]}` };
    for (const [service, url] of urls.entries()) {
      await drive({ ...requestOf(url, service), connections: 4, amount: warmUp });
    }
    for (const count of connections) {
      const measure = `${name}, ${connectionsText(count)}`;
      const ofServices = await inTurns(measure, (url, service) =>
        drive({ ...requestOf(url, service), connections: count, duration: seconds }),
      );
      loads.push({ name, connections: count, measure, loads: ofServices });
    }
  }
  return { loads, burstSeconds };
}

/** The first service's results as rows. */
export function httpRows({ loads, burstSeconds: [seconds = []] }: HttpResults, burst: number): Row[] {
  return [
    ...loads.map(({ name, connections, measure, loads: [own = []] }): Row => {
      return { group: "throughput", measure, name, at: connections, unit: "/s", value: perSecond(own) };
    }),
    {
      group: "burst",
      measure: `${burst} orders at once, until the last is completed`,
      name: "burst",
      unit: "s",
      value: median(seconds),
      atMost: MAX_BURST_SECONDS,
    },
  ];
}

export const perSecond = (loads: readonly Load[]): number => median(loads.map((load) => load.perSecond));

/** A round may have too few replies for a percentile. */
export const latenciesOf = (loads: readonly Load[]): number[] => loads.flatMap(({ latenciesMs }) => latenciesMs);

export const connectionsText = (count: number): string => `${count} connection${count === 1 ? "" : "s"}`;

/** @returns seconds from the first request until the last order is completed */
async function completeBurst(url: string, orders: number): Promise<number> {
  const startedAt = performance.now();
  let pending = await pLimit(BURST_CONNECTIONS).map(Array.from({ length: orders }), () => placeOrder(url));
  while (pending.length > 0) {
    if (performance.now() - startedAt > BURST_TIMEOUT_MS) throw new Error(`${pending.length} orders are not completed`);
    const sample = pending.slice(0, BURST_CONNECTIONS);
    const completed = await Promise.all(sample.map((pk) => isCompleted(url, pk)));
    if (!completed.includes(true)) await sleep(POLL_INTERVAL_MS);
    pending = pending.filter((_, index) => !completed[index]);
  }
  return (performance.now() - startedAt) / 1_000;
}

async function placeOrder(url: string): Promise<string> {
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
