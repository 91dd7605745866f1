import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";

/**
 * As with serverless-offline, which gives open connections 5 s, only `exitOnTermination` ends it with 0. Its start fails
 * because of the signal, as the framework's does, which then prints that and exits with 1.
 */
const PROGRAM = `
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { exitOnTermination } from "./local/process-lifecycle.ts";
exitOnTermination(async () => {
  writeSync(1, "stopping\\n");
  console.error("fetch failed");
  await sleep(50);
  writeSync(1, "stopped\\n");
  if (process.env.START_FAILS) process.exit(1);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => setTimeout(() => process.exit(1), 5_000));
setInterval(() => undefined, 60_000);
console.log(process.pid);`;

test.for([
  ["SIGINT", "SIGTERM", ""],
  ["SIGTERM", "SIGHUP", ""],
  ["SIGHUP", "SIGINT", ""],
  ["SIGINT", "SIGINT", "yes"],
] as const)(
  "%s, followed by %s, stops everything once, in silence, and ends with 0 before serverless-offline would",
  async ([signal, other, START_FAILS]) => {
    vi.stubEnv("START_FAILS", START_FAILS);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { parent, exited, lines } = await startProgram(process.execPath);

    parent.kill(signal);
    parent.kill(other);

    expect(await exited).toEqual([0, null]);
    expect(lines).toEqual(["stopping", "stopped"]);
  },
);

test("SIGKILL to npm alone stops everything", async () => {
  const { parent, exited, lines } = await startProgram("/bin/sh", "-c", `"$0" "$@"; :`, process.execPath);

  parent.kill("SIGKILL");

  expect(await exited).toEqual([null, "SIGKILL"]);
  expect(lines).toEqual(["stopping", "stopped"]);
});

/** The program, started by npm or by a shell that stands for it. `exited` is when both have ended. */
async function startProgram(command: string, ...args: string[]) {
  const parent = spawn(command, [...args, "--input-type=module", "--eval", PROGRAM], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, npm_lifecycle_event: "start" },
  });
  const exited = once(parent, "close");
  const output = createInterface(parent.stdout);
  const [pid] = await once(output, "line");
  onTestFinished(() => {
    if (existsSync(`/proc/${pid}`)) process.kill(Number(pid), "SIGKILL");
  });
  const lines: string[] = [];
  for (const stream of [output, createInterface(parent.stderr)]) stream.on("line", (line) => lines.push(line));
  return { parent, exited, lines };
}
