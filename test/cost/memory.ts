import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";

const Megabytes = z.int().positive();
const Memory = z.object({
  provider: z.object({ memorySize: Megabytes }),
  functions: z.record(z.string(), z.object({ memorySize: Megabytes.optional() })),
});

/** The memory of each function in MB, as serverless.yml has it. */
export async function readMemory(): Promise<(functionName: string) => number> {
  const text = await readFile(new URL("../../serverless.yml", import.meta.url), "utf8");
  const { provider, functions } = Memory.parse(parse(text, { logLevel: "error" }));
  return (name) => functions[name]?.memorySize ?? provider.memorySize;
}
