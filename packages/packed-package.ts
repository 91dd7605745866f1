import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, onTestFinished } from "vitest";

const BIN = join(import.meta.dirname, "../node_modules/.bin");
const INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
const TSC = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];

const run = promisify(execFile);

/** Packs a package as npm publishes it, and installs it beside `client` in an empty folder, for the calling test file. */
export function usePackedPackage(name: string, client: string) {
  const source = join(import.meta.dirname, name);
  let folder = "";
  let tarball = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `${name}-`));
    await run(process.execPath, [join(source, "../build.mjs"), name]);
    const { stdout } = await run("npm", ["pack", "--silent", join(source, "dist"), "--pack-destination", folder]);
    tarball = join(folder, stdout.trim());
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await run("npm", [...INSTALL, tarball, client, "@types/node"], { cwd: folder });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Starts its command as npx does. It ends with the test. */
  function start(...args: readonly string[]) {
    return startIn({}, ...args);
  }

  function startIn(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
    const child = spawn(join(folder, "node_modules/.bin", name), args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  }

  return {
    /** What publint and attw ("are the types wrong") find in the tarball. It is for ES modules only, of Node 16 and newer. */
    async packagingProblems(): Promise<string[]> {
      const bytes = await readFile(tarball);
      const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
      const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
      if (!analysis.types) return ["it has no types"];
      const problems = analysis.problems.map(({ kind }) => kind).filter((kind) => kind !== "CJSResolvesToESM");
      return [...messages.map(({ code }) => code), ...problems];
    },
    /** The program in its README. */
    async readmeProgram(): Promise<string> {
      const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(await readFile(join(source, "README.md"), "utf8")) ?? [];
      return program;
    },
    async checkTypes(program: string): Promise<void> {
      await writeFile(join(folder, "program.ts"), program);
      await run(join(BIN, "tsc"), [...TSC, "program.ts"], { cwd: folder });
    },
    /** Starts a program, which ends with the test. */
    async startProgram(program: string, env: NodeJS.ProcessEnv = {}) {
      await writeFile(join(folder, "program.ts"), program);
      const options = { cwd: folder, env: { ...process.env, ...env } };
      const child = spawn(process.execPath, ["program.ts"], { ...options, stdio: ["ignore", "pipe", "inherit"] });
      onTestFinished(() => void child.kill());
      return child;
    },
    start,
    /** Runs its command to its end. */
    cli: (...args: readonly string[]) => end(start(...args)),
    /** The same with environment variables. */
    cliIn: (env: NodeJS.ProcessEnv, ...args: readonly string[]) => end(startIn(env, ...args)),
  };
}

async function end(child: ChildProcessByStdio<null, Readable, Readable>) {
  // All at once: when a process exits, Node discards what nobody reads yet.
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, output: stdout + stderr };
}
