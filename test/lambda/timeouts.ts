import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";

const Seconds = z.int().positive();
const Timeouts = z.object({
  provider: z.object({ timeout: Seconds }),
  functions: z.record(z.string(), z.object({ timeout: Seconds.optional() })),
});

/** The time-out of each function in ms, as serverless.yml has it. */
export async function readTimeouts(): Promise<(functionName: string) => number> {
  const text = await readFile(new URL("../../serverless.yml", import.meta.url), "utf8");
  const { provider, functions } = Timeouts.parse(parse(text, { logLevel: "error" }));
  return (name) => (functions[name]?.timeout ?? provider.timeout) * 1_000;
}
