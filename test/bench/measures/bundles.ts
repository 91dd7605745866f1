import type { Bundles } from "../../lambda/bundles.ts";
import { sizesOf } from "../bundle-sizes.ts";
import { type Row, row } from "../row.ts";

const KB = 1_024;

/** In KB; what has no target only serves the docs and refusals. */
const TARGETS: Readonly<Record<string, number>> = {
  getOrder: 150,
  createOrder: 400,
  completeOrder: 200,
  drainRefunds: 200,
  sweepOrders: 200,
};

/** What each cold start has to read: the minified bundles. */
export async function measureBundles(bundles: Pick<Bundles, "paths">): Promise<Row[]> {
  return Object.entries(await sizesOf(bundles)).map(([name, bytes]) => {
    const value = TARGETS[name];
    return row({
      group: "bundles",
      measure: `${name} bundle`,
      name,
      unit: "KB",
      subject: bytes / KB,
      ...(value !== undefined && { target: { of: "subject", bound: "at most", value } }),
    });
  });
}
