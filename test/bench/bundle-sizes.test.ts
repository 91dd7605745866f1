import { expect, test } from "vitest";
import { buildBundles } from "../lambda/bundles.ts";
import { recordedSizes, sizesOf } from "./bundle-sizes.ts";
import { measureBundles } from "./measures/bundles.ts";

test("the bundles have exactly the sizes of test/bench/bundle-sizes.json, which `npm run bench -- --sizes` writes", async () => {
  await using bundles = await buildBundles();
  expect(await sizesOf(bundles)).toEqual(await recordedSizes());
  // And none is over its target.
  expect((await measureBundles(bundles)).filter(({ met }) => met === false)).toEqual([]);
});
