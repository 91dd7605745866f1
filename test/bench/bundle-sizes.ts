import { readFile, stat, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { Bundles } from "../lambda/bundles.ts";
import { readServerlessYml } from "../support/serverless-yml.ts";

const TABLE = new URL("bundle-sizes.json", import.meta.url);

const Sizes = z.record(z.string(), z.int());

/** Bytes of each function's bundle, by the function's name. */
export type Sizes = z.infer<typeof Sizes>;

export async function sizesOf({ paths }: Pick<Bundles, "paths">): Promise<Sizes> {
  const { functions } = await readServerlessYml();
  const sizes = Object.keys(functions).map(async (name) => [name, (await stat(paths[name] ?? "")).size] as const);
  return Object.fromEntries(await Promise.all(sizes));
}

/** The sizes that are committed, so that each change of one is seen in a diff. */
export async function recordedSizes(): Promise<Sizes> {
  return Sizes.parse(JSON.parse(await readFile(TABLE, "utf8")));
}

export async function recordSizes(sizes: Sizes): Promise<void> {
  await writeFile(TABLE, `${JSON.stringify(sizes, null, 2)}\n`);
}
