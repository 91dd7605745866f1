import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Offline, startOffline } from "../../support/offline.ts";
import { runScript } from "../../support/run.ts";

const DEMO = "tools/demo/main.ts";
const PK = "[0-7][0-9A-HJKMNP-TV-Z]{25}";
const SEQUENCES_OF_A_TERMINAL = /\p{Cc}(?<!\n)/u;

/** Nothing can listen on it without being root, and no system puts anything of the web there. */
const CLOSED_PORT = "1";

let service: Offline;

beforeAll(async () => {
  service = await startOffline();
});

afterAll(async () => {
  await service.stop();
});

describe("against a running service", () => {
  test("every order is shown pending, completed and refunded, and the demo ends with 0", {
    timeout: 120_000,
  }, async () => {
    const { code, stdout, stderr } = await demo(["--orders", "3"]);

    expect(stderr).toBe("");
    expect(code).toBe(0);
    const pks = pksSeen(stdout, "pending");
    expect(pks).toHaveLength(3);
    for (const pk of pks) {
      const states = linesOf(stdout, pk).map((line) => /(pending|completed|refunded) \d+\.\d s$/.exec(line)?.[1]);
      expect(states.filter(Boolean)).toEqual(["pending", "completed", "refunded"]);
    }
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(
      /^Total: 3 placed, 1 replayed, 3 completed, 3 refunded, 1 dead letter, in \d+\.\d s$/,
    );
  });

  test("the streams' entries are shown: one for each completed order, and the refused refund", {
    timeout: 120_000,
  }, async () => {
    const { stdout } = await demo(["--orders", "2"]);

    const ids = [...stdout.matchAll(new RegExp(`^\\d+-\\d+  (${PK})  \\S+ +\\d +completed$`, "gm"))].map(
      ([, pk]) => pk,
    );
    expect(ids.sort()).toEqual(pksSeen(stdout, "pending").sort());
    expect(stdout).toMatch(new RegExp(`^\\d+-\\d+  ${PK}  unknown_order  \\d+-\\d+$`, "m"));
  });

  test("where it is not at a terminal, its lines are plain, even to who forces colour", {
    timeout: 120_000,
  }, async () => {
    const { stdout } = await demo(["--orders", "1"], { FORCE_COLOR: "1" });

    expect(stdout).toContain("refunded");
    expect(stdout).not.toMatch(SEQUENCES_OF_A_TERMINAL);
  });

  test("an order that stays behind is named, and the demo ends with 1", async () => {
    // Orders complete after 5 seconds, never before.
    const { code, stdout, stderr } = await demo(["--orders", "2", "--timeout", "1"]);

    expect(code).toBe(1);
    const reasons = pksSeen(stdout, "pending").map((pk) => `order ${pk} is still pending, not completed, after 1 s`);
    expect(reasons).toHaveLength(2);
    for (const reason of reasons) expect(stderr).toContain(reason);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stdout).not.toContain("Total");
  });

  test("a Redis that does not answer is told before any order is placed", async () => {
    const { code, stderr } = await demo([], { ORDERS_UPSTASH_PORT: CLOSED_PORT });

    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(
      /^No Redis does its part at http:\/\/127\.0\.0\.1:1 \(.+\): set ORDERS_UPSTASH_PORT.*$/,
    );
  });

  test("a token that is not the service's is told before any order is placed, and is not shown", async () => {
    const { code, stdout, stderr } = await demo([], {
      UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${service.env.ORDERS_UPSTASH_PORT}`,
      UPSTASH_REDIS_REST_TOKEN: "not-the-token",
    });

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trim()).toMatch(/^The token is refused at \S+: set (?!.*not-the-token).* as npm start had them$/);
  });
});

describe("without a service", () => {
  test("it says at once what to do and ends with 1", async () => {
    const { code, stdout, stderr } = await demo([], { ORDERS_API_PORT: CLOSED_PORT });

    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim()).toMatch(/^No order service answers at http:\/\/localhost:1: start it with `npm start`.*$/);
  });

  test("another program at the address is not taken for it", async () => {
    const { code, stderr } = await demo([], { ORDERS_API_PORT: service.env.ORDERS_SCHEDULER_PORT });

    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^What answers at \S+ is not the order service: start it with `npm start`.*$/);
  });

  test.each([
    [["--orders", "0"], "--orders: "],
    [["--timeout", "soon"], "--timeout: "],
    [["--order", "2"], "Unknown option '--order'"],
  ])("the arguments %j are refused in one line", async (args, reason) => {
    const { code, stderr } = await demo(args);

    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(reason);
  });
});

function demo(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return runScript(DEMO, args, { ...service.env, FORCE_COLOR: "", ...env });
}

function pksSeen(output: string, state: string): string[] {
  return [...output.matchAll(new RegExp(`^(${PK})  .*  ${state} `, "gm"))].map(([, pk]) => pk ?? "");
}

function linesOf(output: string, pk: string): string[] {
  return output.split("\n").filter((line) => line.startsWith(pk));
}
