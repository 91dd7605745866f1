import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { removeStaleFolders } from "../../local/process-lifecycle.ts";
import { temporaryFolder } from "./redis/support.ts";

/** As with serverless-offline, which gives open connections 5 s, only `exitOnTermination` ends it with 0. */
const PROGRAM = `
import { setTimeout as sleep } from "node:timers/promises";
import { exitOnTermination } from "./local/process-lifecycle.ts";
exitOnTermination(async () => {
  console.log("stopping");
  await sleep(50);
  console.log("stopped");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => setTimeout(() => process.exit(1), 5_000));
setInterval(() => undefined, 60_000);
console.log(process.pid);`;

test.for([
  ["SIGINT", "SIGTERM"],
  ["SIGTERM", "SIGHUP"],
  ["SIGHUP", "SIGINT"],
] as const)(
  "%s, followed by %s, stops everything once and ends before serverless-offline would",
  async ([signal, other]) => {
    const { parent, exited, lines } = await startProgram(process.execPath);

    parent.kill(signal);
    parent.kill(other);

    expect(await exited).toEqual([0, null]);
    expect(lines).toEqual(["stopping", "stopped"]);
  },
);

test("SIGKILL to npm alone stops everything", async () => {
  const { parent, exited, lines } = await startProgram("/bin/sh", "-c", `${process.execPath} "$@"; :`, "npm");

  parent.kill("SIGKILL");

  expect(await exited).toEqual([null, "SIGKILL"]);
  expect(lines).toEqual(["stopping", "stopped"]);
});

test("only the folders of processes that no longer run are removed", async () => {
  const folder = await temporaryFolder();
  const dead = spawn("true");
  await once(dead, "exit");
  for (const name of [`build-${process.pid}`, `build-${dead.pid}`, "build-", "build-x", "other-1"]) {
    await mkdir(join(folder, name, "inside"), { recursive: true });
  }

  removeStaleFolders(folder, "build-");
  removeStaleFolders(join(folder, "missing"));

  expect((await readdir(folder)).sort()).toEqual(["build-", `build-${process.pid}`, "build-x", "other-1"].sort());
});

/** The program, started by npm or by a shell that stands for it. `exited` is when both have ended. */
async function startProgram(command: string, ...args: string[]) {
  const parent = spawn(command, [...args, "--input-type=module", "--eval", PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, npm_lifecycle_event: "start" },
  });
  const exited = once(parent, "close");
  const output = createInterface(parent.stdout);
  const [pid] = await once(output, "line");
  onTestFinished(() => {
    if (existsSync(`/proc/${pid}`)) process.kill(Number(pid), "SIGKILL");
  });
  const lines: string[] = [];
  output.on("line", (line) => lines.push(line));
  return { parent, exited, lines };
}
