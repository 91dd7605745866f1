import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import { SCHEDULE_GROUP } from "../lambda/environment.ts";
import { ageRequests } from "./refund-stream.ts";
import { untilAllFired } from "./schedules.ts";
import type { ChaosStack } from "./stack.ts";

/** More than the sweep's grace and the last order's 5 seconds, in ms. */
const AHEAD_MS = 600_000;

/** Each round settles all that can be: a second one is for what the first one's end left in hand. */
const POLLER_ROUNDS = 5;

/**
 * The calm after the faults: the sweep's clock passes every order's time and it runs once, while late deliveries arrive,
 * and the last schedules fire for what the sweep has completed. The pollers run until the refund stream is empty, or it
 * is clear that it will not be.
 */
export async function settle(stack: ChaosStack): Promise<void> {
  stack.sweepAheadMs = AHEAD_MS;
  await stack.host.recycle("sweepOrders");
  await Promise.all([stack.host.invoke("sweepOrders", {}), stack.deliveries.flush()]);
  await untilAllFired(stack.schedulerUrl, SCHEDULE_GROUP);
  await stack.deliveries.flush();
  for (let round = 1; round <= POLLER_ROUNDS; round += 1) {
    await ageRequests(stack.database, 0);
    await Promise.all([stack.host.invoke("drainRefunds", {}), stack.host.invoke("drainRefunds", {})]);
    if ((await stack.database.direct((client) => client.xLen(REFUND_STREAM))) === 0) return;
  }
}
