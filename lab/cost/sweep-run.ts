import { readEnv } from "../../lib/env.ts";
import { job } from "../../lib/job.ts";
import { CompletedStreamEnv } from "../../lib/orders/retention.ts";
import { sweepOrders } from "../../lib/orders/sweep-orders.ts";
import { createRedis, RedisEnv } from "../../lib/redis/client.ts";

interface SweepRun {
  /** The time at which the run starts, in ms since the epoch. */
  readonly startsAt: number;
}

const redis = createRedis(readEnv(RedisEnv));
const { COMPLETED_STREAM_MAX_LENGTH: streamMaxLength } = readEnv(CompletedStreamEnv);

/**
 * The function `sweepOrders` with `completion: sweep`, by a clock that only its waits move: a run of more than a minute is counted in a
 * moment, and the same in every count.
 */
async function sweepRun({ startsAt }: SweepRun): Promise<void> {
  let now = startsAt;
  async function wait(ms: number): Promise<void> {
    now += ms;
  }
  await sweepOrders({ redis, completion: "sweep", streamMaxLength, clock: () => now, wait });
}

export const handler = job(sweepRun);
