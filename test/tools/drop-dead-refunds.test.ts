import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drop } from "../../tools/dead-refunds/drop.ts";
import { useStore } from "../support/store.ts";
import { bury, deadRefunds, entries } from "./dead-refunds.ts";

const store = useStore();

const deadIds = async () => (await entries(store.client, "refund_order:dead")).map(({ id }) => id);

let shown = "";
beforeEach(() => {
  shown = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    shown += String(chunk);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

test("the letters are shown before it asks, and stay when the answer is no", async () => {
  const ids = await bury(store.client, 2);

  const dropped = await drop(store.redis, ids, async (question) => {
    expect([...shown.matchAll(/^\d+-\d+/gm)].map(String)).toEqual(ids);
    expect(question).toBe("Drop 2 dead letters for ever?");
    return false;
  });

  expect(dropped).toBe(false);
  expect(shown).toMatch(/\nNothing was dropped\n$/);
  expect(await deadIds()).toEqual(ids);
});

test("with --yes the letters are shown and dropped, more than a batch of them, and no others", async () => {
  const [kept = "", ...ids] = await bury(store.client, 121);

  const { code, stdout, stderr } = await deadRefunds(store, "drop", "--yes", ...ids);

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect([...stdout.matchAll(/^\d+-\d+/gm)].map(String)).toEqual(ids);
  expect(stdout).toMatch(/\nDropped 120 dead letters\n$/);
  expect(await deadIds()).toEqual([kept]);
});

test("without --yes and not at a terminal, nothing is dropped: 2", async () => {
  const ids = await bury(store.client, 1);

  const { code, stdout, stderr } = await deadRefunds(store, "drop", ...ids);

  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain("needs a terminal: --yes does not ask");
  expect(await deadIds()).toEqual(ids);
});

test("an id that is not there is named and ends with 1; the others are dropped", async () => {
  const ids = await bury(store.client, 1);

  const { code, stdout, stderr } = await deadRefunds(store, "drop", "1-1", ...ids, "--yes");

  expect(code).toBe(1);
  expect(stderr).toBe("There is no dead letter 1-1\n");
  expect(stdout).toMatch(/\nDropped 1 dead letter\n$/);
  expect(await deadIds()).toEqual([]);
});
