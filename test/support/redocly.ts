import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export const PROJECT = join(import.meta.dirname, "../..");

const REDOCLY = join(PROJECT, "node_modules/@redocly/cli/bin/cli.js");

/** Nothing of it leaves the machine. */
const ENV = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };

/**
 * Runs Redocly's command in the project's folder, and gives what it prints.
 * @throws Error when it exits with another code than 0
 */
export async function redocly(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [REDOCLY, ...args], { cwd: PROJECT, env: ENV });
  return stdout;
}
