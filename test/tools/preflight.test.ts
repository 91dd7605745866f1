import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { runScript } from "../support/run.ts";

const PREFLIGHT = "tools/preflight.cjs";

test("the preflight prints nothing with the packages and their Node", async () => {
  expect(await runScript(PREFLIGHT, [], {})).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("the preflight asks for the packages when they are missing, also before npm start", async () => {
  const folder = await checkout();
  await cp("package.json", join(folder, "package.json"));
  const PATH = process.env.PATH?.split(delimiter).filter((part) => !part.includes("node_modules"));
  const env = { ...process.env, PATH: PATH?.join(delimiter) };

  const start = promisify(execFile)("npm", ["start"], { cwd: folder, env });

  await expect(start).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("\nThe packages are missing: run `npm ci` first, with Node 22 or newer\n"),
  });
});

test.for(["12.22.12", "20.20.2"])("on Node %s, the preflight says how to get the right one", async (version) => {
  const folder = await checkout("serverless");
  const pose = join(folder, "pose.cjs");
  await writeFile(pose, `Object.defineProperty(process, "versions", { value: { node: "${version}" } });`);

  const { code, stderr } = await runScript(join(folder, PREFLIGHT), [], { NODE_OPTIONS: `--require ${pose}` });

  expect(code).toBe(1);
  expect(stderr).toBe(
    `\nThis is Node ${version}, and npm ci has brought no Node 24: run it again, with Node 22 or newer and without --ignore-scripts\n`,
  );
});

test("the preflight can be read by any Node", async () => {
  // esbuild rejects what ES5 cannot express.
  await expect(transform(await readFile(PREFLIGHT, "utf8"), { target: "es5" })).resolves.toMatchObject({
    warnings: [],
  });
});

test("the preflight runs before every npm script except those for the code's format", async () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await readFile("package.json", "utf8")));
  const without = Object.keys(scripts).filter((name) => !scripts[name]?.startsWith(`node ${PREFLIGHT} && `));

  expect(without.toSorted()).toEqual(["fix", "format", "lint", "types"]);
});

/** A checkout with nothing but the script, and the packages that are named. */
async function checkout(...packages: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "orders-checkout-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(PREFLIGHT, join(folder, PREFLIGHT));
  for (const name of packages) await mkdir(join(folder, "node_modules", name), { recursive: true });
  return folder;
}
