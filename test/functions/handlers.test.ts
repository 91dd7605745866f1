import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { bundle } from "../support/bundle.ts";
import { useFunctions } from "../support/functions.ts";
import { useRedis } from "../support/redis.ts";
import { readServerlessYml } from "../support/serverless-yml.ts";

// The bundles read the environment when they are imported.
useFunctions(useRedis());

const Module = z.object({ handler: z.custom<(...args: never[]) => unknown>((value) => typeof value === "function") });

const SOURCES = (await readdir(new URL("../../functions/", import.meta.url))).toSorted();

test("every file in functions is a function of serverless.yml, and the other way round", async () => {
  const { functions } = await readServerlessYml();

  const handlers = Object.values(functions).map(({ handler }) => handler);
  expect(handlers.toSorted()).toEqual(SOURCES.map((file) => `functions/${file.replace(".ts", ".handler")}`));
});

test.for(SOURCES)(
  "the bundle of %s loads, and Lambda's Node 24 takes its handler: it has no callback",
  async (file) => {
    await using built = await bundle(`functions/${file}`);

    const { handler } = Module.parse(await import(built.path));

    expect(handler.length).toBeLessThan(3);
  },
);
