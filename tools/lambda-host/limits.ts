import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";

const Limit = z.int().positive();
const Limits = z.object({
  provider: z.object({ timeout: Limit, memorySize: Limit }),
  functions: z.record(z.string(), z.object({ timeout: Limit.optional(), memorySize: Limit.optional() })),
});

/** The time-out of each function in ms, as serverless.yml has it. */
export async function readTimeouts(): Promise<(functionName: string) => number> {
  const { provider, functions } = await readLimits();
  return (name) => (functions[name]?.timeout ?? provider.timeout) * 1_000;
}

/** The memory of each function in MB, as serverless.yml has it. */
export async function readMemorySizes(): Promise<(functionName: string) => number> {
  const { provider, functions } = await readLimits();
  return (name) => functions[name]?.memorySize ?? provider.memorySize;
}

async function readLimits(): Promise<z.infer<typeof Limits>> {
  const text = await readFile(new URL("../../serverless.yml", import.meta.url), "utf8");
  return Limits.parse(parse(text, { logLevel: "error" }));
}
