import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../../test/lambda/serve.ts";
import { drive } from "./load.ts";

const SLOW_MS = 20;

async function server(status: number): Promise<string> {
  const started = await serve(async (_, response) => {
    await wait(SLOW_MS);
    response.writeHead(status).end();
  });
  onTestFinished(() => started.stop());
  return started.url;
}

test("a load tells of every reply what its client waited, finer than to the millisecond", async () => {
  const url = await server(200);
  const { latenciesMs, perSecond } = await drive({ url, method: "GET", connections: 4, amount: 40 });
  expect(latenciesMs).toHaveLength(40);
  // A timer may end a fraction of a millisecond before.
  expect(Math.min(...latenciesMs)).toBeGreaterThan(SLOW_MS - 2);
  expect(latenciesMs.some((latencyMs) => !Number.isInteger(latencyMs))).toBe(true);
  expect(perSecond).toBeGreaterThan(0);
});

test("a load with a refusal is no result", async () => {
  const url = await server(500);
  await expect(drive({ url, method: "GET", connections: 1, amount: 3 })).rejects.toThrow("3 requests to");
});
