import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { listen } from "../support/listen.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { runScript } from "../support/run.ts";

const SMOKE = "tools/smoke.ts";

let service: Offline;

beforeAll(async () => {
  service = await startOffline();
});

afterAll(async () => {
  await service.stop();
});

test("a running service passes: the order is placed and completes", async () => {
  const { code, stdout, stderr } = await runScript(SMOKE, [service.api], process.env);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^placed {5}\w{26} in \d+ ms\ncompleted {2}[5-9]\.\d s after it was placed\n$/);
  expect(code).toBe(0);
});

test("another product can be named", async () => {
  let asked: unknown;
  const service = createServer(async (request, response) => {
    asked = await json(request);
    response.writeHead(422).end();
  });
  const url = await listen(service);
  onTestFinished(() => void service.close());

  await runScript(SMOKE, [url, "--product", "tea-green"], process.env);

  expect(asked).toEqual({ id: "tea-green", quantity: 1 });
});

test("an order that does not complete in time fails, and is named", async () => {
  const { code, stderr } = await runScript(SMOKE, [service.api, "--timeout", "1"], process.env);
  expect(stderr).toMatch(/^Order \w{26} has not completed after 1 s\n$/);
  expect(code).toBe(1);
});

test("an address where nothing answers fails in one line", async () => {
  const { code, stderr } = await runScript(SMOKE, ["http://127.0.0.1:1"], process.env);
  expect(stderr).toBe(
    "No order service answers at http://127.0.0.1:1: is the address right, and the service deployed or started?\n",
  );
  expect(code).toBe(1);
});

test.for([
  [401, /, which asks for a token: set SMOKE_AUTHORIZATION to .+\n$/],
  [403, /, which asks for a token: set SMOKE_AUTHORIZATION to .+\n$/],
  [404, /, neither with an order nor with a problem document: is the address right, .+\n$/],
] as const)("what API Gateway itself answers with %i is told in one line", async ([status, end]) => {
  const gateway = createServer((_, response) => response.writeHead(status).end('{"message":"No"}'));
  const url = await listen(gateway);
  onTestFinished(() => void gateway.close());

  const { code, stderr } = await runScript(SMOKE, [url], process.env);

  expect(stderr).toMatch(end);
  expect(stderr.split("\n")).toHaveLength(2);
  expect(stderr).toContain(`The service replied ${status} at ${url}/orders`);
  expect(code).toBe(1);
});

test.for([[], ["--help"], ["not an address"]])("the arguments %o give the usage", async (args) => {
  const { code, stderr } = await runScript(SMOKE, args, process.env);
  expect(stderr).toContain("npm run smoke -- <url>");
  expect(code).toBe(1);
});
