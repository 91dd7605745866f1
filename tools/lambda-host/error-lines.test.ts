import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { getOrderEvent } from "../../test/support/functions.ts";
import { type Bundles, buildBundles } from "./bundles.ts";
import { functionEnvironment } from "./environment.ts";
import { createFunction } from "./function.ts";

/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9";

const Line = z.object({
  level: z.literal("ERROR"),
  error: z.object({ message: z.string(), location: z.string(), stack: z.string() }),
});

let bundles: Bundles;

beforeAll(async () => {
  bundles = await buildBundles();
});
afterAll(() => bundles[Symbol.asyncDispose]());

/** The line that a built function logs, in a process of its own, with no Redis to reach. */
async function errorLine(functionName: string, event: unknown): Promise<string> {
  const lines: string[] = [];
  const lambda = createFunction({
    name: functionName,
    runtimePath: bundles.runtime,
    bundlePath: bundles.paths[functionName] ?? "",
    timeoutMs: 20_000,
    concurrency: 1,
    environment: async (name) =>
      functionEnvironment({ name, upstashUrl: NOWHERE, schedulerUrl: NOWHERE, inventoryUrl: "", skewMs: 0 }),
    onExit: () => undefined,
    onLine: (line) => lines.push(line),
  });
  await lambda.invoke(event);
  await lambda.stop();
  return lines.find((line) => line.includes('"level":"ERROR"')) ?? "";
}

test.for([
  ["getOrder", "cannot reach Redis", getOrderEvent("01JD7Y4Q2X8WZ5V3T1R9P7N6MB"), "new ServiceError("],
  ["completeOrder", "cannot reach Redis", { pk: "01JD7Y4Q2X8WZ5V3T1R9P7N6MB" }, "new ServiceError("],
  ["completeOrder", "gets no pk", {}, "DueOrder.parse("],
] as const)("when %s %s, its log line names the source line and has one stack", async ([name, , event, code]) => {
  const line = await errorLine(name, event);

  const { error } = Line.parse(JSON.parse(line));
  const [, source = "", number] = /((?:lib|functions)\/[\w/-]+\.ts):(\d+)$/.exec(error.location) ?? [];
  const text = await readFile(new URL(`../../${source}`, import.meta.url), "utf8");
  expect(text.split("\n")[Number(number) - 1]).toContain(code);
  expect(error.stack).toContain(`${error.message}\n    at `);
  expect(error.stack).not.toContain(`${name}.mjs`);
  expect(line.match(/"stack":/g)).toHaveLength(1);
});
