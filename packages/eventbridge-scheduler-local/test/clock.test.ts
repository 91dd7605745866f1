import fc from "fast-check";
import { expect, test } from "vitest";
import { createClock } from "../src/clock.ts";
import { createTargetClient } from "../src/targets.ts";
import { backoff } from "../src/timers.ts";
import { startLambdaEndpoint } from "./lambda-endpoint.ts";

const clock = createClock();
const { signal } = new AbortController();

test("a wait ends at its time, never before", async () => {
  for (let i = 0; i < 50; i++) {
    const time = Date.now() + (i % 7) + 0.5;
    expect(await clock.sleepUntil(time, signal)).toBe(true);
    expect(Date.now()).toBeGreaterThanOrEqual(time);
  }
});

test("a wait of over 2^31 ms overflows no timer", async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  // An overflow warns at once, and again each ms.
  expect(await clock.sleepUntil(Date.now() + 2 ** 32, AbortSignal.timeout(20))).toBe(false);
  process.off("warning", warn);
  expect(warnings).toEqual([]);
});

test("the wait between attempts doubles from 1 s to 60 s, and is never under half of that", () => {
  const attempts = fc.integer({ min: 1, max: 185 });
  const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(attempts, draws, (attempt, draw) => {
      const ceiling = attempt > 6 ? 60_000 : 1000 * 2 ** (attempt - 1);
      const wait = backoff(attempt, () => draw);
      expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
      expect(wait).toBeLessThanOrEqual(ceiling);
    }),
  );
});

test("an invocation without an answer in time is undelivered", async () => {
  await using endpoint = await startLambdaEndpoint(() => undefined);
  const client = createTargetClient({ lambdaUrl: endpoint.url, concurrency: 1, signal, timeoutMs: 50 });
  const lambda = { name: "slow", qualifier: undefined };
  const outcome = await client.send({ name: "slow", lambda, url: undefined }, "{}");
  client.close();
  expect(outcome).toEqual({
    kind: "undelivered",
    permanent: false,
    code: "INVOCATION_FAILED",
    message: "no reply within 50 ms",
  });
});
