import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import autocannon from "autocannon";
import pLimit from "p-limit";
import { z } from "zod";
import { ORDER_BODY } from "./orders.ts";
import { median, type Row } from "./statistics.ts";

const MAX_BURST_SECONDS = 10;
const BURST_CONNECTIONS = 32;
const BURST_TIMEOUT_MS = 180_000;
const POLL_INTERVAL_MS = 50;
/** Requests before a measurement: V8 takes hundreds until it has compiled what is used most. */
const WARM_UP_REQUESTS = 2_000;

const JSON_POST = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(ORDER_BODY),
} as const;

const LoadOptions = z.object({
  url: z.url(),
  method: z.enum(["GET", "POST"]),
  connections: z.int().positive(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  body: z.string().exactOptional(),
  /** In seconds. */
  duration: z.int().positive().exactOptional(),
  amount: z.int().positive().exactOptional(),
});
type LoadOptions = z.infer<typeof LoadOptions>;

const Load = z.object({
  perSecond: z.number(),
  /** Requests without a reply, or with one that is not 2xx. */
  failed: z.int(),
  latenciesMs: z.array(z.number()),
});
export type Load = z.infer<typeof Load>;

/** Any order service: `id` where it does not call the key of an order `pk`. */
const PlacedOrder = z
  .union([z.object({ pk: z.union([z.string(), z.int()]) }), z.object({ id: z.union([z.string(), z.int()]) })])
  .transform((order) => String("pk" in order ? order.pk : order.id));
const FoundOrder = z.object({ status: z.string() });

export interface HttpSettings {
  readonly connections: readonly number[];
  readonly rounds: number;
  /** How long each load lasts, in seconds. */
  readonly seconds: number;
  /** How many orders a burst places. */
  readonly burst: number;
}

/** One load on every service, in rounds. */
export interface LoadResult {
  readonly name: "GET /orders/{pk}" | "POST /orders";
  readonly connections: number;
  /** By service, then by round. */
  readonly loads: readonly (readonly Load[])[];
}

export interface HttpResults {
  readonly loads: readonly LoadResult[];
  /** By service, then by round: seconds from the first request until the last order of a burst is completed. */
  readonly burstSeconds: readonly (readonly number[])[];
}

/**
 * Measures order services over HTTP, in turns: bursts, then reads, then new orders. Completions of the orders placed run
 * meanwhile, as they do in production.
 * @param urls where each service has `/orders` and `/orders/{pk}`
 * @throws Error when a request fails: failures are fast
 */
export async function measureHttp(
  urls: readonly string[],
  { connections, rounds, seconds, burst }: HttpSettings,
  log: (line: string) => void,
): Promise<HttpResults> {
  const burstSeconds: number[][] = urls.map(() => []);
  for (const url of urls) await completeBurst(url, burst);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, url] of inTurn(urls, round)) {
      log(`${burst} orders at ${url}`);
      burstSeconds[index]?.push(await completeBurst(url, burst));
    }
  }
  const pks = await Promise.all(urls.map((url) => placeOrder(url)));
  const loads: LoadResult[] = [];
  for (const name of ["GET /orders/{pk}", "POST /orders"] as const) {
    const requestOf = (index: number, url: string) =>
      name === "POST /orders"
        ? { url: `${url}/orders`, ...JSON_POST }
        : { url: `${url}/orders/${pks[index]}`, method: "GET" as const };
    const amount = Math.min(WARM_UP_REQUESTS, seconds * 500);
    for (const [index, url] of urls.entries()) await drive({ ...requestOf(index, url), connections: 4, amount });
    for (const count of connections) {
      const byService: Load[][] = urls.map(() => []);
      for (let round = 0; round < rounds; round += 1) {
        for (const [index, url] of inTurn(urls, round)) {
          log(`${name} at ${url}, connections: ${count}`);
          byService[index]?.push(await drive({ ...requestOf(index, url), connections: count, duration: seconds }));
        }
      }
      loads.push({ name, connections: count, loads: byService });
    }
  }
  return { loads, burstSeconds };
}

/** The first service's results as rows. */
export function httpRows({ loads, burstSeconds: [seconds = []] }: HttpResults, burst: number): Row[] {
  return [
    ...loads.map(({ name, connections, loads: [own = []] }): Row => {
      const measure = `${name}, ${connections} ${connections === 1 ? "connection" : "connections"}`;
      return { group: "throughput", measure, name, at: connections, unit: "/s", value: perSecond(own) };
    }),
    {
      group: "burst",
      measure: `${burst} orders at once, until the last is completed`,
      name: "burst",
      unit: "s",
      value: median(seconds),
      target: { of: "value", bound: "at most", value: MAX_BURST_SECONDS },
    },
  ];
}

export const perSecond = (loads: readonly Load[]): number => median(loads.map((load) => load.perSecond));

/** Every other round in the opposite order. */
function inTurn(urls: readonly string[], round: number): [number, string][] {
  return round % 2 === 0 ? [...urls.entries()] : [...urls.entries()].toReversed();
}

/** @returns seconds from the first request until the last order is completed */
async function completeBurst(url: string, orders: number): Promise<number> {
  const limit = pLimit(BURST_CONNECTIONS);
  const startedAt = performance.now();
  let pending = await Promise.all(Array.from({ length: orders }, () => limit(() => placeOrder(url))));
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
  return FoundOrder.parse(await fetchJson(`${url}/orders/${pk}`)).status === "completed";
}

async function fetchJson(url: string, init?: RequestInit): Promise<unknown> {
  const reply = await fetch(url, init);
  if (!reply.ok) throw new Error(`${init?.method ?? "GET"} ${url} was answered ${reply.status}: ${await reply.text()}`);
  return reply.json();
}

/** In a process of its own: in this one, the load would wait for the servers' turns of the event loop. */
async function drive(options: LoadOptions): Promise<Load> {
  const child = fork(import.meta.filename, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const exited = once(child, "exit");
  const answered = once(child, "message");
  child.send(options);
  const [answer] = await Promise.race([answered, exited.then(() => [undefined])]);
  if (answer === undefined) throw new Error(`The load on ${options.url} ended without a result`);
  await exited;
  const load = Load.parse(answer);
  if (load.failed > 0) throw new Error(`${load.failed} requests to ${options.url} failed`);
  return load;
}

if (import.meta.main && process.send) {
  process.once("disconnect", () => process.exit());
  process.once("message", (message) => {
    const latenciesMs: number[] = [];
    const running = autocannon(LoadOptions.parse(message), (error, result) => {
      if (error) throw error;
      const { requests, errors, timeouts, non2xx } = result;
      const load: Load = { perSecond: requests.average, failed: errors + timeouts + non2xx, latenciesMs };
      process.send?.(load, () => process.disconnect());
    });
    // autocannon's own histogram has whole milliseconds.
    running.on("response", (_client, _status, _bytes, latencyMs) => latenciesMs.push(latencyMs));
  });
}
