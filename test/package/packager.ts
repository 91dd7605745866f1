import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { z } from "zod";
import { Template } from "./template.ts";

const PROJECT = join(import.meta.dirname, "../..");
const SERVERLESS = join(PROJECT, "node_modules/serverless/bin/serverless.js");

/** All that `serverless package` reads. */
const SOURCES = [
  "serverless.yml",
  "package.json",
  "tsconfig.json",
  "openapi.yaml",
  "asyncapi.yaml",
  "functions",
  "lib",
  "local",
  "infra",
];

const TEMPLATE = "cloudformation-template-update-stack.json";

/** What a developer's shell may hold while packaging, and what no artefact may. */
export const SECRETS = {
  UPSTASH_REDIS_REST_URL: "https://secret-database-of-ours.upstash.io",
  UPSTASH_REDIS_REST_TOKEN: "AXecretTokenOfOurDatabase1234567890",
  AWS_ACCESS_KEY_ID: "AKIASECRETKEYOFOURS1",
  AWS_SECRET_ACCESS_KEY: "secretAccessKeyOfOurs/1234567890abcdefghijk",
  AWS_SESSION_TOKEN: "IQoJSecretSessionTokenOfOurs1234567890",
};

/** A command that ended with another exit code than 0. The framework says why on standard output. */
const Failed = z.object({ stdout: z.string(), stderr: z.string() });

/** What `serverless package` made. */
export interface Package {
  readonly template: Template;
  /** Everything that is uploaded, zips unpacked: `createOrder.zip/functions/create-order.mjs` for example. */
  readonly files: ReadonlyMap<string, string>;
  /** What it left in the folder for temporary files. */
  readonly leftBehind: readonly string[];
}

/** Packages are made in a copy of the project, because its build folder is shared with whatever else runs there. */
export async function copyProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "orders-package-"));
  for (const source of SOURCES) await cp(join(PROJECT, source), join(copy, source), { recursive: true });
  await symlink(join(PROJECT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/**
 * @param options of the command, such as `--stage` and `prod`
 * @throws Error with the framework's output, when it refuses
 */
export async function packageProject(copy: string, options: readonly string[]): Promise<Package> {
  const folder = await mkdtemp(join(copy, "package-"));
  const TMPDIR = await mkdtemp(join(copy, "tmp-"));
  const args = [SERVERLESS, "package", "--package", folder, ...options];
  const env = { ...process.env, ...SECRETS, AWS_REGION: "", TMPDIR };
  await promisify(execFile)(process.execPath, args, { cwd: copy, env }).catch((error: unknown) => {
    const { stdout, stderr } = Failed.parse(error);
    throw new Error(`serverless package failed:\n${stdout}${stderr}`, { cause: error });
  });
  const files = new Map<string, string>();
  for (const name of await readdir(folder)) {
    const content = await readFile(join(folder, name));
    const parts = name.endsWith(".zip") ? Object.entries(unzipSync(content)) : [["", content] as const];
    for (const [path, bytes] of parts) files.set(join(name, path), Buffer.from(bytes).toString());
  }
  const template = Template.parse(JSON.parse(files.get(TEMPLATE) ?? ""));
  return { template, files, leftBehind: await readdir(TMPDIR) };
}
