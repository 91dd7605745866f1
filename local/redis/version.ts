import { isExecutable, output } from "./executable.ts";
import type { Say } from "./machine.ts";

/** The scripts use commands of Redis 7.0; Valkey began at 7.2. */
const MINIMUM_MAJOR = 7;
const VERSION_MS = 10_000;

/** The first of these servers that runs and is new enough; says why for every one that it passes over. */
export async function firstUsable(binaries: readonly string[], say: Say): Promise<string | undefined> {
  for (const binary of binaries) {
    if (!(await isExecutable(binary))) continue;
    const fault = await faultOf(binary);
    if (fault === undefined) return binary;
    say(`Passing over ${binary}: ${fault}`);
  }
  return undefined;
}

/** Whether a version such as `7.0.15`, or Debian's `5:7.0.15-1~deb12u6`, will do. */
export function isNewEnough(version: string): boolean {
  return Number(/^(?:\d+:)?(\d+)\./.exec(version)?.[1]) >= MINIMUM_MAJOR;
}

async function faultOf(binary: string): Promise<string | undefined> {
  try {
    const text = await output("it does not run", binary, ["--version"], { timeout: VERSION_MS });
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(text)?.[1];
    if (version === undefined) return "it tells no version";
    return isNewEnough(version) ? undefined : `it is version ${version}, and ${MINIMUM_MAJOR}.0 or newer is needed`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
