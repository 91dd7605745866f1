import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";

const GUIDE = await readFile(join(import.meta.dirname, "../../docs/operations.md"), "utf8");

/** The block of commands in a section, as a person pastes it. */
function blockWith(part: string): string {
  const blocks = [...GUIDE.matchAll(/^( *)```sh\n([\s\S]*?)^ *```/gm)];
  return blocks.find(([, , block = ""]) => block.includes(part))?.[2] ?? expect.unreachable(`No block has ${part}`);
}

/** Runs a block in bash, where the cloud's commands are these scripts, and returns what they were called with. */
async function runBlock(block: string, commands: Readonly<Record<string, string>>, input = "") {
  const folder = await mkdtemp(join(tmpdir(), "orders-guide-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const log = join(folder, "calls");
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${log}\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const child = spawn("bash", ["-c", block], {
    cwd: folder,
    env: { PATH: [folder, process.env.PATH].join(delimiter), UPSTASH_EMAIL: "a@example.com", UPSTASH_KEY: "key" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { stdout, stderr, code: Number(code), calls: await readFile(log, "utf8").catch(() => "") };
}

const withSecret = (secret: object) => ({
  aws: `case "$*" in *get-secret-value*) echo '${JSON.stringify(secret)}';; esac`,
  curl: "",
  npx: "",
});

test.for(["enable-dailybackup", "delete-secret"])(
  "without a database_id the block with %s stops before it changes anything",
  async (part) => {
    const { code, stderr, calls } = await runBlock(blockWith(part), withSecret({ token: "t" }), "a@example.com\nkey\n");

    expect(stderr).toContain("The secret has no database_id");
    expect(code).not.toBe(0);
    expect(calls).not.toMatch(/^(curl|npx)|delete-secret/m);
  },
);

test("where the database cannot be deleted, its secret with the only token stays", async () => {
  const commands = { ...withSecret({ database_id: "db-1" }), curl: "exit 22" };
  const { code, calls } = await runBlock(blockWith("delete-secret"), commands, "a@example.com\nkey\n");

  expect(calls).toMatch(/^curl .+\/redis\/database\/db-1$/m);
  expect(calls).not.toContain("delete-secret");
  expect(code).not.toBe(0);
});

test("with everything in place a stage is removed: stack, database, secret", async () => {
  const block = blockWith("delete-secret");
  const { code, calls } = await runBlock(block, withSecret({ database_id: "db-1" }), "a@example.com\nkey\n");

  expect(code).toBe(0);
  expect(calls).toMatch(/npx serverless remove .+\ncurl .+\naws secretsmanager delete-secret .+\n$/);
});

test.for([
  ["expired credentials", "exit 254", 254],
  ["credentials that expire meanwhile", 'case "$*" in *start-query*) echo id;; *) exit 254;; esac', 254],
  ["a query that completes", 'case "$*" in *start-query*) echo id;; *status*) echo Complete;; *) echo found;; esac', 0],
] as const)("a search of the logs ends with %s", async ([, aws, expected]) => {
  const block = blockWith("insights()");
  const [definition = ""] = block.split("   # 1.");
  const { code, stdout } = await runBlock(`${definition}\ninsights 'filter level = "ERROR"'`, { aws });

  expect(code).toBe(expected);
  expect(stdout).toBe(expected === 0 ? "found\n" : "");
});
