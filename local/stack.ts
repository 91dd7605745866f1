import { startScheduler } from "eventbridge-scheduler-local";
import { startDatabase } from "./database.ts";
import { SCHEDULE_GROUP } from "./environment.ts";
import { assertPortsFree, type WantedPort } from "./ports.ts";
import type { Settings } from "./settings.ts";

/** How many calls each route, and the Scheduler, has under way at once. Each takes a worker thread of about 30 MB. */
export const MAX_CONCURRENT_CALLS = 4;

export interface Stack {
  /** One line a part, for people. */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/**
 * Starts what stands in for Upstash and EventBridge Scheduler, on loopback only.
 * @param settings where; a database of the user's own is used and never stopped
 * @throws Error in one line when a port is taken or no Redis can be had
 */
export async function startStack(settings: Settings): Promise<Stack> {
  await assertPortsFree(wantedPorts(settings));
  const database = await startDatabase(settings);
  const scheduler = await startScheduler({
    port: settings.ORDERS_SCHEDULER_PORT,
    lambdaUrl: `http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`,
    groups: [SCHEDULE_GROUP],
    concurrency: MAX_CONCURRENT_CALLS,
    maxDelayMs: settings.ORDERS_SCHEDULER_MAX_DELAY_MS,
    deliverTwice: settings.ORDERS_SCHEDULER_DELIVER_TWICE,
  });
  return {
    addresses: [`Scheduler     ${scheduler.url}`, ...database.addresses],
    stop: async () => {
      await scheduler.stop();
      await database.stop();
    },
  };
}

function wantedPorts(settings: Settings): WantedPort[] {
  const ports: WantedPort[] = [
    { port: settings.ORDERS_API_PORT, what: "the API", variable: "ORDERS_API_PORT" },
    { port: settings.ORDERS_LAMBDA_PORT, what: "Lambda invoke", variable: "ORDERS_LAMBDA_PORT" },
    { port: settings.ORDERS_SCHEDULER_PORT, what: "the Scheduler", variable: "ORDERS_SCHEDULER_PORT" },
  ];
  if (!settings.UPSTASH_REDIS_REST_URL) {
    ports.push({ port: settings.ORDERS_UPSTASH_PORT, what: "Upstash REST", variable: "ORDERS_UPSTASH_PORT" });
    if (settings.ORDERS_REDIS_PORT && !settings.REDIS_URL) {
      ports.push({ port: settings.ORDERS_REDIS_PORT, what: "Redis", variable: "ORDERS_REDIS_PORT" });
    }
  }
  return ports;
}
