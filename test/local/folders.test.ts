import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeWritableFolder } from "../../local/folders.ts";
import { temporaryFolder } from "./redis/support.ts";

const PROGRAM = `
import { mkdirSync } from "node:fs";
import { removeAtExit } from "./local/folders.ts";
const [ending, folder] = process.argv.slice(1);
mkdirSync(folder + "/inside", { recursive: true });
const keep = removeAtExit(folder);
if (ending === "keep") keep();
if (ending !== "killed") process.exit(ending === "fails" ? 1 : 0);
console.log("ready");
setInterval(() => undefined, 60_000);`;

test.for([
  ["exits", false],
  ["fails", false],
  ["killed", false],
  ["keep", true],
] as const)("a process that ends as in %j leaves its folder: %j", async ([ending, isLeft]) => {
  const folder = join(await temporaryFolder(), "a folder");
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM, ending, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "close");

  if (ending === "killed") {
    await once(child.stdout, "data");
    child.kill("SIGKILL");
  }
  await exited;

  // Only after a kill does the watchdog remove it.
  if (ending !== "killed") expect(existsSync(folder)).toBe(isLeft);
  await expect.poll(() => existsSync(folder)).toBe(isLeft);
});

test.for([
  ["that is a file", fileIn],
  ["whose parent is a file", async (folder: string) => join(await fileIn(folder), "a/b")],
  // Where Node.js's own recursive mkdir never ends.
  ["in /proc", async () => "/proc/nope/a"],
] as const)("a folder %s cannot be made, which one line says with its remedy", async ([, place]) => {
  const folder = await place(await temporaryFolder());

  await expect(makeWritableFolder(folder, "Do this.")).rejects.toThrow(
    new RegExp(`^Cannot write to ${RegExp.escape(folder)} \\(E[A-Z]+: .+\\)\\. Do this\\.$`),
  );
});

test("a folder is made with its parents, and one that exists is used", async () => {
  const folder = join(await temporaryFolder(), "a/b");

  await Promise.all([makeWritableFolder(folder, ""), makeWritableFolder(folder, "")]);
  await makeWritableFolder(folder, "");

  expect(existsSync(folder)).toBe(true);
});

async function fileIn(folder: string): Promise<string> {
  const file = join(folder, "file");
  await writeFile(file, "");
  return file;
}
