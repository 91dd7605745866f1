import { afterAll, beforeAll, expect, test } from "vitest";
import { type Offline, startOffline } from "../support/offline.ts";
import { runScript } from "../support/run.ts";

const SMOKE = "ops/smoke.ts";

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

test("an order that does not complete in time fails, and is named", async () => {
  const { code, stderr } = await runScript(SMOKE, [service.api, "--timeout", "1"], process.env);
  expect(stderr).toMatch(/^Order \w{26} has not completed after 1 s\n$/);
  expect(code).toBe(1);
});

test("an address where nothing answers fails in one line", async () => {
  const { code, stderr } = await runScript(SMOKE, ["http://127.0.0.1:1"], process.env);
  expect(stderr).toBe("The service does not answer at http://127.0.0.1:1/orders\n");
  expect(code).toBe(1);
});

test.for([[], ["--help"], ["not an address"]])("the arguments %o give the usage", async (args) => {
  const { code, stderr } = await runScript(SMOKE, args, process.env);
  expect(stderr).toContain("npm run smoke -- <url>");
  expect(code).toBe(1);
});
