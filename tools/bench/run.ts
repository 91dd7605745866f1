import { type Bundles, buildBundles } from "../../test/lambda/bundles.ts";
import { serve } from "../../test/lambda/serve.ts";
import { PRICE, selling } from "../../test/support/inventory.ts";
import { FLOORS } from "./floors.ts";
import { measureBatches } from "./measures/batches.ts";
import { measureBundles } from "./measures/bundles.ts";
import { measureColdStart } from "./measures/cold-start.ts";
import { DELIVERIES_AT_ONCE, measureCompletionLag } from "./measures/completion-lag.ts";
import { measureGrowth } from "./measures/growth.ts";
import type { Measure } from "./measures/measure.ts";
import { measureMemory } from "./measures/memory.ts";
import { measureNetworkCalls } from "./measures/network-calls.ts";
import { INSTANCES, measureThroughput } from "./measures/throughput.ts";
import { measureWarm } from "./measures/warm.ts";
import type { Row } from "./row.ts";
import type { Settings } from "./settings.ts";
import { type StackOptions, startStack } from "./stack.ts";
import { PRICED_CASES, WARM_CASES } from "./warm-cases.ts";

export type Say = (line: string) => void;

/** Runs every measurement, one after the other, each on a stack and a Redis of its own where they would disturb each other. */
export async function run(settings: Settings, say: Say): Promise<Row[]> {
  await using bundles = await buildBundles([], FLOORS);
  const calm = { bundles, holdSchedules: true };
  return [
    ...(await onStack(calm, settings, [
      announced("warm calls", measureWarm(WARM_CASES)),
      announced("network calls", measureNetworkCalls),
      announced("refunds and overdue orders a second", measureBatches),
      announced("cold starts", measureColdStart),
      announced("memory", measureMemory),
    ])),
    ...(await priced(bundles)),
    ...(await measureBundles(bundles)),
    ...(await onStack({ bundles, concurrency: () => DELIVERIES_AT_ONCE }, settings, [
      announced("completions of a burst", measureCompletionLag),
    ])),
    ...(await onStack({ ...calm, concurrency: () => INSTANCES }, settings, [
      announced("throughput over HTTP", measureThroughput),
    ])),
    ...(await growth(bundles)),
  ];

  function announced(what: string, measure: Measure): Measure {
    return (stack, given) => {
      say(what);
      return measure(stack, given);
    };
  }

  async function priced(built: Bundles): Promise<Row[]> {
    const tellPrice = selling(PRICE);
    const inventory = await serve(async (request, response) => tellPrice(request, response));
    try {
      return await onStack({ bundles: built, holdSchedules: true, inventoryUrl: inventory.url }, settings, [
        announced("warm calls with prices", measureWarm(PRICED_CASES)),
      ]);
    } finally {
      await inventory.stop();
    }
  }

  async function growth(built: Bundles): Promise<Row[]> {
    say(`growth to ${settings.growth.sizes.at(-1)?.toLocaleString("en")} orders`);
    return measureGrowth(built, settings);
  }
}

async function onStack(options: StackOptions, settings: Settings, measures: readonly Measure[]): Promise<Row[]> {
  await using stack = await startStack(options);
  const rows: Row[] = [];
  for (const measure of measures) rows.push(...(await measure(stack, settings)));
  return rows;
}
