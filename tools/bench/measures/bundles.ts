import { stat } from "node:fs/promises";
import type { Bundles } from "../../../test/lambda/bundles.ts";
import { readServerlessYml } from "../../../test/support/serverless-yml.ts";
import { type Row, row } from "../row.ts";

const KB = 1_024;

/** In KB; what has no target only serves the docs and refusals. */
const TARGETS: Readonly<Record<string, number>> = {
  getOrder: 160,
  createOrder: 400,
  completeOrder: 200,
  drainRefunds: 200,
  sweepOrders: 200,
};

/** What each cold start has to read: the minified bundles. */
export async function measureBundles({ paths }: Pick<Bundles, "paths">): Promise<Row[]> {
  const { functions } = await readServerlessYml();
  return Promise.all(
    Object.keys(functions).map(async (name) => {
      const { size } = await stat(paths[name] ?? "");
      const value = TARGETS[name];
      return row({
        group: "bundles",
        measure: `${name} bundle`,
        name,
        unit: "KB",
        subject: size / KB,
        ...(value !== undefined && { target: { of: "subject", bound: "at most", value } }),
      });
    }),
  );
}
