import { describe, expect, test } from "vitest";
import { judge } from "./all.ts";
import {
  announced,
  announcement,
  bytes,
  COMPLETED,
  completed,
  evidence,
  invalid,
  letter,
  orders,
  placement,
  REFUNDED,
  refunded,
  told,
  twin,
  valid,
} from "./sound-end.ts";
import type { Violation } from "./violation.ts";

const broken = (given: Parameters<typeof evidence>[0]) =>
  judge(evidence(given)).map(({ invariant, kind }: Violation) => `${invariant} ${kind}`);

test("a sound end breaks no invariant", () => {
  expect(broken({})).toEqual([]);
});

test("a request that someone else removed may be lost, or not", () => {
  const requests = new Map([valid, invalid].map((request) => [request.ref, { ...request, mayBeLost: true }]));
  const kept = { ...announced, pk: REFUNDED, product_id: "chaos-2" };
  expect(broken({ requests })).toEqual([]);
  expect(
    broken({
      requests,
      deadLetters: [],
      orders: orders(announced, kept),
      announcements: [announcement({}), { atMs: 0, fields: kept }],
    }),
  ).toEqual([]);
});

describe("it is found out when", () => {
  test.each<[string, Parameters<typeof evidence>[0], string]>([
    ["an order that a client was told of is not there", { orders: orders(refunded), announcements: [] }, "1 lost"],
    [
      "one request made two orders",
      {
        orders: orders(announced, refunded, twin),
        announcements: [announcement({}), announcement({ pk: twin.pk })],
      },
      "1 duplicated",
    ],
    [
      "clients of one key were told of two orders",
      { placements: [{ ...placement, told: [told, { ...told, pk: twin.pk }], nonsense: [] }] },
      "1 duplicated",
    ],
    [
      "an order is not what its client asked for",
      { placements: [{ ...placement, told: [{ ...told, quantity: 9 }], nonsense: [] }] },
      "1 wrong_state",
    ],
    [
      "a client was refused without reason",
      { placements: [{ ...placement, told: [], nonsense: ["404"] }] },
      "1 wrong_state",
    ],
    [
      "an order is still pending",
      { orders: orders({ ...completed, status: "pending" }, refunded), announcements: [] },
      "2 stuck",
    ],
    [
      "a completed order has no time of it",
      { orders: orders({ ...completed, status: "completed" }, refunded), announcements: [] },
      "2 wrong_state",
    ],
    ["a completion was never announced", { announcements: [] }, "3 lost"],
    ["a completion was announced twice", { announcements: [announcement({}), announcement({})] }, "3 duplicated"],
    [
      "an order was announced that was not completed",
      { announcements: [announcement({}), announcement({ pk: REFUNDED })] },
      "3 wrong_state",
    ],
    [
      "an order was announced that is not there",
      { announcements: [announcement({}), announcement({ pk: twin.pk })] },
      "3 wrong_state",
    ],
    ["an announcement differs from its order", { announcements: [announcement({ quantity: "9" })] }, "3 wrong_state"],
    [
      "a valid request moved nothing",
      {
        orders: orders(announced, { ...announced, pk: REFUNDED }),
        announcements: [announcement({}), announcement({ pk: REFUNDED })],
      },
      "4 lost",
    ],
    ["an order was refunded that nobody asked for", { requests: new Map([[invalid.ref, invalid]]) }, "4 wrong_state"],
    ["an invalid request is nowhere", { deadLetters: [] }, "4 lost"],
    ["an invalid request was kept twice", { deadLetters: [bytes(letter), bytes(letter)] }, "4 duplicated"],
    [
      "an invalid request was kept for another reason",
      { deadLetters: [bytes(letter.with(1, "unknown_order"))] },
      "4 wrong_state",
    ],
    ["an invalid request was not kept whole", { deadLetters: [bytes(letter.with(7, "no"))] }, "4 wrong_state"],
    [
      "a valid request is a dead letter",
      { deadLetters: [bytes(letter), bytes(letter.with(9, "request-1"))] },
      "4 wrong_state",
    ],
    [
      "a dead letter is nobody's",
      { deadLetters: [bytes(letter), bytes(letter.with(9, "request-9"))] },
      "4 wrong_state",
    ],
    ["a request is still pending", { requestsLeft: 1, pendingEntriesLeft: 1 }, "5 stuck"],
    ["a request is still on the stream", { requestsLeft: 1 }, "5 stuck"],
    ["an order still owes its completion", { pendingPks: [COMPLETED] }, "5 stuck"],
    [
      "a reader saw an illegal move",
      { seen: [{ order: 1, detail: "it went from completed to pending" }] },
      "6 wrong_state",
    ],
  ])("%s", (_, given, found) => {
    expect(broken(given)).toContain(found);
  });
});
