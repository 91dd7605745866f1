import { setTimeout as sleep } from "node:timers/promises";
import { type Completion, dueTime } from "../../lib/orders/completion-delay.ts";
import { COMPLETED_STREAM, PENDING_KEY } from "../../lib/redis/keys.ts";
import { placeOrder, placeOrders } from "./http-load.ts";
import { keepSweeping, type MeasuredStack, type Stacks } from "./stack.ts";
import { median, percentile, type Row } from "./statistics.ts";

/** Targets of `sweep`. */
const MAX_MEDIAN_MS = 300;
const MAX_P99_MS = 1_000;

const POLL_INTERVAL_MS = 100;

export interface LatenessSettings {
  /** Orders per second at which both modes are measured. */
  readonly comparedRate: number;
  /** Others at which `sweep` is measured. */
  readonly rates: readonly number[];
  /** How long orders are placed at each rate, in seconds. */
  readonly seconds: number;
  /** How many orders are placed at once. */
  readonly burst: number;
}

interface Load {
  readonly name: string;
  readonly place: (url: string) => Promise<unknown>;
}

interface Measured {
  /** How long after it was due each order was announced, in ms. */
  readonly latenessMs: readonly number[];
  /** From the first order placed until the last one is completed, for each of them. */
  readonly commandsPerOrder: number;
}

/**
 * How late orders are completed, and how many commands of Redis each of them takes. Orders of `scheduler` wait for their schedules
 * while those of `sweep` are measured.
 * @param stacks that of `scheduler` has schedules that fire as late as on AWS
 */
export async function measureLateness(
  { scheduler, sweep }: Stacks,
  { comparedRate, rates, seconds, burst }: LatenessSettings,
  log: (line: string) => void,
): Promise<Row[]> {
  const steady = (rate: number): Load => ({
    name: `${rate} orders per second`,
    place: (url) => placeSteadily(url, rate, seconds),
  });
  const compared = steady(comparedRate);
  const loads: readonly Load[] = [
    compared,
    ...rates.map(steady),
    { name: `${burst.toLocaleString("en")} orders at once`, place: (url) => placeOrders(url, burst) },
  ];
  await using sweeps = keepSweeping(sweep);

  async function sweepAll(): Promise<(readonly [Load, Measured])[]> {
    const measured: (readonly [Load, Measured])[] = [];
    for (const load of loads) {
      log(`sweep, ${load.name}`);
      measured.push([load, await measure(sweep, load)]);
    }
    return measured;
  }

  log(`scheduler, ${compared.name}`);
  const [scheduled, swept] = await Promise.all([measure(scheduler, compared), sweepAll()]);
  const [[, sweptAtComparedRate] = []] = swept;
  return [
    ...latenessRows("scheduler", compared, scheduled),
    ...swept.flatMap(([load, measured]) => latenessRows("sweep", load, measured)),
    {
      ...{ group: "commands", measure: `sweep: Redis commands per order, ${compared.name}`, name: "sweep", unit: "" },
      ...{
        value: sweptAtComparedRate?.commandsPerOrder ?? Number.NaN,
        baseline: scheduled.commandsPerOrder,
        atMost: 1,
      },
    },
    // A short measurement ends before the first run does.
    ...sweeps.ended.slice(0, 1).map(({ maxMemoryMb }): Row => {
      const measure = "sweep: peak memory of a run of sweepOrders with these orders";
      return { group: "memory", measure, name: "sweepOrders", unit: "MB", value: maxMemoryMb };
    }),
  ];
}

function latenessRows(completion: Completion, { name }: Load, { latenessMs }: Measured): Row[] {
  const row = (what: string, value: number, atMost: number): Row => ({
    ...{ group: "lateness", measure: `${completion}: lateness, ${name}, ${what}`, name: completion, unit: "ms", value },
    ...(completion === "sweep" && { atMost }),
  });
  return [row("p50", median(latenessMs), MAX_MEDIAN_MS), row("p99", percentile(latenessMs, 0.99), MAX_P99_MS)];
}

/** Places orders and waits until all are completed. Redis's own time of each announcement is compared with the order's due time. */
async function measure({ apiUrl, redis, commands }: MeasuredStack, { place }: Load): Promise<Measured> {
  const [last] = (await redis.xRevRange(COMPLETED_STREAM, "+", "-", { COUNT: 1 })) ?? [];
  await redis.configResetStat();
  await place(apiUrl);
  while ((await redis.zCard(PENDING_KEY)) > 0) await sleep(POLL_INTERVAL_MS);
  const sent = [...(await commands()).values()].reduce((sum, calls) => sum + calls, 0);
  const announced = (await redis.xRange(COMPLETED_STREAM, last ? `(${last.id}` : "-", "+")) ?? [];
  const latenessMs = announced.map(({ id, message: { pk = "" } }) => Number(id.split("-")[0]) - dueTime(pk));
  return { latenessMs, commandsPerOrder: sent / announced.length };
}

/** Places orders at the same intervals, however long each takes. */
async function placeSteadily(url: string, perSecond: number, seconds: number): Promise<void> {
  const orders = Array.from({ length: perSecond * seconds }, async (_, index) => {
    await sleep((index * 1_000) / perSecond);
    await placeOrder(url);
  });
  await Promise.all(orders);
}
