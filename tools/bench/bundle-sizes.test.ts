import { expect, test } from "vitest";
import { buildBundles } from "../../test/lambda/bundles.ts";
import { measureBundles } from "./measures/bundles.ts";

test("no bundle is over its size budget", async () => {
  await using bundles = await buildBundles();
  expect((await measureBundles(bundles)).filter(({ met }) => met === false)).toEqual([]);
});
