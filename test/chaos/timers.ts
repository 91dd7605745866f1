import { setTimeout as wait } from "node:timers/promises";
import type { LambdaHost } from "../lambda/host.ts";
import type { ChaosDatabase } from "./database.ts";
import { ageRequests } from "./refund-stream.ts";

const PAUSE_MS = 300;
const AGEING_PAUSE_MS = 1_500;

/** Requests held for so long, in ms, by a poller that is dead or in trouble are aged. */
const HELD_MS = 1_000;

/**
 * What AWS does every minute, here several times a second: two pollers and two sweeps at once. And what time does: requests
 * that a poller holds grow old enough to be taken from it, sometimes while it still lives.
 * @returns ends them all
 */
export function startTimers(host: LambdaHost, database: ChaosDatabase): () => Promise<void> {
  let stopped = false;

  async function every(pauseMs: number, work: () => Promise<unknown>): Promise<void> {
    while (!stopped) {
      await work();
      await wait(pauseMs);
    }
  }

  const running = [
    ...["drainRefunds", "drainRefunds", "sweepOrders", "sweepOrders"].map((name) =>
      every(PAUSE_MS, () => host.invoke(name, {})),
    ),
    every(AGEING_PAUSE_MS, () => ageRequests(database, HELD_MS)),
  ];
  return async () => {
    stopped = true;
    await Promise.all(running);
  };
}
