import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

export const PROJECT = join(import.meta.dirname, "../..");

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a script of the project to its end, by the Node that runs the tests and not at a terminal.
 * @param script from the project's folder
 * @param signal ends it with SIGTERM: without one, what a script has started outlives a test that timed out
 * @throws AbortError when the signal ended it
 */
export async function runScript(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Ran> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: PROJECT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal && { signal }),
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: typeof code === "number" ? code : null, stdout, stderr };
}

const REDOCLY = join(PROJECT, "node_modules/@redocly/cli/bin/cli.js");

/** Redocly sends nothing from this machine. */
const ENV = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };

/**
 * Runs Redocly's command in the project's folder, and returns what it prints.
 * @throws Error when it exits with another code than 0
 */
export async function redocly(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [REDOCLY, ...args], { cwd: PROJECT, env: ENV });
  return stdout;
}
