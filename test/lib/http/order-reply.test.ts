import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { orderReply, retryAfterS } from "../../../lib/http/order-reply.ts";

const PLACED_AT = Date.UTC(2026, 10, 23, 6);
const PK = ulid(PLACED_AT);

describe("Retry-After of a pending order", () => {
  test.for([
    [0, 6],
    [200, 5],
    [201, 5],
    [4_199, 2],
    [4_200, 1],
    [5_199, 1],
    // From here on the order is overdue.
    [5_200, 1],
    [6_999, 1],
    [7_000, 2],
    [8_999, 2],
    [9_000, 4],
    [13_000, 8],
    [21_000, 16],
    [36_999, 16],
    [37_000, 30],
    [86_400_000, 30],
    [-86_400_000, 30],
  ] as const)("%i ms after it was placed is %i s", ([ageMs, seconds]) => {
    expect(retryAfterS(PK, PLACED_AT + ageMs)).toBe(seconds);
  });

  test.for([0, 1, 250, 900])(
    "lets a client with a round trip of %i ms wait 6, 1, 2, 4, 8, 16 and then 30 s",
    (latency) => {
      let now = PLACED_AT;
      const waits = Array.from({ length: 8 }, () => {
        const seconds = retryAfterS(PK, now);
        now += seconds * 1_000 + latency;
        return seconds;
      });

      expect(waits).toEqual([6, 1, 2, 4, 8, 16, 30, 30]);
    },
  );

  test.for(["completed", "refunded"] as const)("is not sent with an order that is %s", (status) => {
    const order = { pk: PK, product_id: "tea", quantity: 1, created_at: new Date(PLACED_AT).toISOString() };

    expect(orderReply({ ...order, status: "pending" }, PLACED_AT).headers).toMatchObject({ "retry-after": "6" });
    expect(orderReply({ ...order, status }, PLACED_AT).headers).not.toHaveProperty("retry-after");
  });
});
