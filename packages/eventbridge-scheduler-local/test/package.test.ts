import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { GetScheduleCommand, ResourceNotFoundException, SchedulerClient } from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

const PACKAGE = join(import.meta.dirname, "..");
const ROOT = join(PACKAGE, "../..");
const INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:greet";

const run = promisify(execFile);

/** An empty folder in which the packed package is installed, beside the official client. */
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "eventbridge-scheduler-local-"));
  await run(process.execPath, [join(ROOT, "packages/build.mjs"), "eventbridge-scheduler-local"]);
  const { stdout } = await run("npm", ["pack", "--silent", join(PACKAGE, "dist"), "--pack-destination", folder]);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await run("npm", [...INSTALL, `./${stdout.trim()}`, "@aws-sdk/client-scheduler", "@types/node"], { cwd: folder });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An HTTP target, and the first event that it gets. */
async function target() {
  const event = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    event.resolve(await text(request));
    response.end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}/greet`, event: event.promise };
}

/** Runs the command to its end. */
async function cli(...args: readonly string[]) {
  const child = spawn("npx", ["eventbridge-scheduler-local", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  return { code, output };
}

async function readmeProgram(): Promise<string> {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  return /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
}

test("the README's program is typed, and its schedule fires", async () => {
  const { url, event } = await target();
  const program = (await readmeProgram()).replace("http://127.0.0.1:8000/greet", url);
  await writeFile(join(folder, "program.ts"), program);
  const tsc = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node", "program.ts"];
  await run(join(ROOT, "node_modules/.bin/tsc"), tsc, { cwd: folder });

  const child = spawn(process.execPath, ["program.ts"], { cwd: folder, stdio: "inherit" });
  onTestFinished(() => void child.kill());

  expect(await event).toBe('{"hello":"world"}');
});

test("npx starts a Scheduler for the official client, and ends at once on Ctrl-C", async () => {
  const { url, event } = await target();
  const child = spawn("node_modules/.bin/eventbridge-scheduler-local", ["--target", `${ARN}=${url}`, "--port", "0"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = await once(createInterface(child.stdout), "line");
  const endpoint = String(line).replace("AWS_ENDPOINT_URL_SCHEDULER=", "");
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new SchedulerClient({ endpoint, region: "eu-central-1", credentials });
  // The README's program, with this Scheduler in place of its own.
  const program = (await readmeProgram())
    .replace(/import \{ startScheduler \}.*\n/, "")
    .replace(/await startScheduler\(.*\);/, `{ url: "${endpoint}" };`)
    .replace('Name: "hello",', 'Name: "hello", ActionAfterCompletion: "DELETE",');
  await writeFile(join(folder, "client.ts"), program);
  await run(process.execPath, ["client.ts"], { cwd: folder });

  expect(await event).toBe('{"hello":"world"}');

  await expect
    .poll(() => client.send(new GetScheduleCommand({ Name: "hello" })).catch((error: unknown) => error))
    .toBeInstanceOf(ResourceNotFoundException);
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("--help lists the options", async () => {
  expect(await cli("--help")).toEqual({ code: 0, output: expect.stringContaining("--lambda-endpoint <url>") });
});

test.for([
  [["--lambda", "http://127.0.0.1:3002"], /^Unknown option '--lambda'/],
  [["--lambda-endpoint", "localhost"], /^--lambda-endpoint must be an http or https URL/],
  [["--target", "greet"], /^--target must be <arn>=<url>/],
  [[], /^Set --lambda-endpoint or --target/],
] as const)("the options %o are refused in one line", async ([args, line]) => {
  const { code, output } = await cli(...args);
  expect(output).toMatch(line);
  expect(output).toMatch(/^.*Run with --help for the options\.\n$/);
  expect(code).toBe(2);
});
