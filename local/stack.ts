import { startScheduler } from "eventbridge-scheduler-local";
import { type Faults, NO_FAULTS, SCHEDULE_FAULTS } from "./console/faults.ts";
import { startInventoryProxy } from "./console/inventory-proxy.ts";
import { startDatabase } from "./database.ts";
import { assertPortsFree } from "./ports.ts";
import { SCHEDULE_GROUP, type Settings } from "./settings.ts";

/** How many calls each route, and the Scheduler, runs at once. Each takes a worker thread of about 30 MB. */
export const MAX_CONCURRENT_CALLS = 4;

export interface Stack {
  /** One line for each part, for people. */
  readonly addresses: readonly string[];
  /** The process of the private Redis; undefined when the database is the user's own. */
  readonly redisPid: number | undefined;
  /** Where functions find the inventory: a proxy beside a private Redis, otherwise the inventory itself. */
  readonly inventoryUrl: string | undefined;
  stop(): Promise<void>;
}

/**
 * Starts the local Upstash and EventBridge Scheduler, on loopback only.
 * @param settings the ports, and the database. The user's own database is never stopped
 * @param faults what the console breaks, looked up at each call
 * @throws Error in one line when a port is taken or no Redis is available
 */
export async function startStack(settings: Settings, faults: Readonly<Faults> = NO_FAULTS): Promise<Stack> {
  await assertPortsFree(settings);
  const database = await startDatabase(settings);
  const scheduler = await startScheduler({
    port: settings.ORDERS_SCHEDULER_PORT,
    lambdaUrl: `http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`,
    groups: [SCHEDULE_GROUP],
    concurrency: MAX_CONCURRENT_CALLS,
    delayMs: () => Math.random() * settings.ORDERS_SCHEDULER_MAX_DELAY_MS + SCHEDULE_FAULTS[faults.schedules].delayMs,
    copies: () => (settings.ORDERS_SCHEDULER_DELIVER_TWICE ? 2 : SCHEDULE_FAULTS[faults.schedules].copies),
  });
  const { INVENTORY_URL } = settings;
  const isBreakable = INVENTORY_URL !== undefined && database.redisPid !== undefined;
  const proxy = isBreakable ? await startInventoryProxy(INVENTORY_URL, faults) : undefined;
  return {
    inventoryUrl: proxy?.url ?? INVENTORY_URL,
    redisPid: database.redisPid,
    addresses: [`Scheduler     ${scheduler.url}`, ...database.addresses],
    stop: async () => {
      proxy?.stop();
      await scheduler.stop();
      await database.stop();
    },
  };
}

/** The message when everything runs. Scripts wait for its first line. */
export function banner(settings: Settings, stack: Pick<Stack, "addresses">): string {
  const api = `http://localhost:${settings.ORDERS_API_PORT}`;
  const lines = [
    `Order service ready: ${api}`,
    "",
    `API           ${api}/orders`,
    `Docs          ${api}/docs`,
    `Console       http://localhost:${settings.ORDERS_CONSOLE_PORT}`,
    `Lambda invoke http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`,
    ...stack.addresses,
    "",
    "Place an order, and read it again 6 seconds later:",
    "",
    `  curl -i ${api}/orders -H 'content-type: application/json' -d '{"id": "tea-green", "quantity": 2}'`,
    "",
    "Ctrl-C stops everything.",
  ];
  return `\n${lines.map((line) => `  ${line}`.trimEnd()).join("\n")}\n\n`;
}
