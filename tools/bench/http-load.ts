import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import autocannon from "autocannon";
import pLimit from "p-limit";
import { z } from "zod";
import { ORDER_BODY } from "./orders.ts";
import { atMost, interleave, median, type Row } from "./statistics.ts";

const MAX_BURST_SECONDS = 10;
const BURST_CONNECTIONS = 32;
const BURST_TIMEOUT_MS = 180_000;
const POLL_INTERVAL_MS = 50;

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

export interface HttpResults {
  readonly loads: readonly {
    readonly name: "GET /orders/{pk}" | "POST /orders";
    readonly connections: number;
    /** By service, then by round. */
    readonly loads: readonly (readonly Load[])[];
  }[];
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
  { connections, rounds, warmUp, seconds, burst }: HttpSettings,
  log: (line: string) => void,
): Promise<HttpResults> {
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
      name === "POST /orders"
        ? { url: `${url}/orders`, ...JSON_POST }
        : { url: `${url}/orders/${pks[service]}`, method: "GET" as const };
    for (const [service, url] of urls.entries()) {
      await drive({ ...requestOf(url, service), connections: 4, amount: warmUp });
    }
    for (const count of connections) {
      const ofServices = await inTurns(`${name}, connections: ${count}`, (url, service) =>
        drive({ ...requestOf(url, service), connections: count, duration: seconds }),
      );
      loads.push({ name, connections: count, loads: ofServices });
    }
  }
  return { loads, burstSeconds };
}

/** The first service's results as rows. */
export function httpRows({ loads, burstSeconds: [seconds = []] }: HttpResults, burst: number): Row[] {
  return [
    ...loads.map(({ name, connections, loads: [own = []] }): Row => {
      const measure = `${name}, ${connectionsText(connections)}`;
      return { group: "throughput", measure, name, at: connections, unit: "/s", value: perSecond(own) };
    }),
    {
      group: "burst",
      measure: `${burst} orders at once, until the last is completed`,
      name: "burst",
      unit: "s",
      value: median(seconds),
      target: atMost(MAX_BURST_SECONDS),
    },
  ];
}

export const perSecond = (loads: readonly Load[]): number => median(loads.map((load) => load.perSecond));

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
