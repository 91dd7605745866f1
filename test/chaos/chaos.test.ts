import { expect, test } from "vitest";
import { z } from "zod";
import { runScript } from "../support/run.ts";

/** A run takes half a minute; a machine that is busy with other things may need ten times as long. */
const TIMEOUT_MS = 300_000;

const Count = z.int().min(0);
const Summary = z.strictObject({
  seed: Count,
  orders: Count,
  requests: Count,
  faults: z.record(z.string(), Count),
  lost: Count,
  duplicated: Count,
  wrong_state: Count,
  stuck: Count,
  dead_letters_expected: Count,
  dead_letters_found: Count,
  pending_entries_left: Count,
  p99_completion_lag_ms: Count,
  ok: z.boolean(),
});

async function chaos(signal: AbortSignal, ...args: string[]) {
  const { code, stdout, stderr } = await runScript("test/chaos/main.ts", args, process.env, signal);
  return { code, stderr, summary: Summary.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")) };
}

test("under faults at every boundary no order is lost and nothing is done twice", { timeout: TIMEOUT_MS }, async ({
  signal,
}) => {
  const { code, stderr, summary } = await chaos(signal, "--orders", "40", "--faults", "0.2", "--seed", "7");

  expect(stderr).not.toContain("invariant");
  expect(summary).toMatchObject({ seed: 7, orders: 40, ok: true });
  expect(summary).toMatchObject({ lost: 0, duplicated: 0, wrong_state: 0, stuck: 0, pending_entries_left: 0 });
  expect(summary.dead_letters_found).toBe(summary.dead_letters_expected);
  const boundaries = new Set(Object.keys(summary.faults).map((name) => name.split(".")[0]));
  expect(boundaries).toEqual(new Set(["client", "delivery", "functions", "redis", "refunds", "scheduler"]));
  expect(summary.faults).toMatchObject({ "redis.killed": 1, "refunds.group_deleted": 1, "refunds.stream_deleted": 1 });
  expect(code).toBe(0);
});

test("under faults of the inventory too, every order keeps the one price that it was told", {
  timeout: TIMEOUT_MS,
}, async ({ signal }) => {
  const { code, stderr, summary } = await chaos(
    signal,
    "--orders",
    "30",
    "--faults",
    "0.2",
    "--seed",
    "11",
    "--priced",
  );

  expect(stderr).not.toContain("invariant");
  expect(summary).toMatchObject({ ok: true, lost: 0, duplicated: 0, wrong_state: 0, stuck: 0 });
  expect(Object.keys(summary.faults).filter((name) => name.startsWith("inventory.")).length).toBeGreaterThan(3);
  expect(code).toBe(0);
});

test("without the idempotency key orders are made twice, and the first one's history is shown", {
  timeout: TIMEOUT_MS,
}, async ({ signal }) => {
  const { code, stderr, summary } = await chaos(signal, "--orders", "20", "--seed", "7", "--undo", "idempotency-key");

  expect(summary.ok).toBe(false);
  expect(summary.duplicated).toBeGreaterThan(0);
  expect(stderr).toMatch(/^Invariant 1 is broken \(duplicated\)/m);
  expect(stderr).toMatch(/POST \{"id":"chaos-\d+"/);
  expect(stderr).toMatch(/^ {2}order:[0-9A-Z]{26} /m);
  expect(code).toBe(1);
});

test("an option that is wrong is told, and nothing is started", async ({ signal }) => {
  const { code, stdout, stderr } = await runScript("test/chaos/main.ts", ["--faults", "2"], process.env, signal);

  expect(stderr).toContain("--faults:");
  expect(stderr).toContain("npm run chaos --");
  expect(stdout).toBe("");
  expect(code).toBe(2);
});
