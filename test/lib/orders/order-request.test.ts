import fc from "fast-check";
import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../../lib/errors.ts";
import { OrderPk } from "../../../lib/orders/order.ts";
import {
  MAX_PRODUCT_ID_LENGTH,
  MAX_QUANTITY,
  OrderRequest,
  parseOrderRequest,
} from "../../../lib/orders/order-request.ts";

const accepts = (request: unknown) => OrderRequest.safeParse(request).success;
const acceptsId = (id: unknown) => accepts({ id, quantity: 1 });
const acceptsQuantity = (quantity: unknown) => accepts({ id: "1", quantity });

describe("a quantity", () => {
  test("is any whole number from 1 to the maximum, or the same in digits, and comes back a number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_QUANTITY }), fc.nat({ max: 5 }), (quantity, zeros) => {
        const inDigits = "0".repeat(zeros) + quantity;
        expect(OrderRequest.parse({ id: "1", quantity }).quantity).toBe(quantity);
        expect(OrderRequest.parse({ id: "1", quantity: inDigits }).quantity).toBe(quantity);
      }),
    );
    expect(acceptsQuantity(MAX_QUANTITY)).toBe(true);
  });

  test.for([
    ...[0, -1, 1.5, -0, MAX_QUANTITY + 1, 10 ** 30, Number.NaN, true, false, null, undefined, [], [1], {}],
    ...["", " ", "abc", "1.0", "1e3", "0x10", "+1", "-1", " 2", "2 ", "2\n", "0", "٣", "２", "1,000", "1000001"],
    "9".repeat(400),
  ])("is not %o", (quantity) => {
    expect(acceptsQuantity(quantity)).toBe(false);
  });
});

describe("a product id", () => {
  test("is any well-formed text of 1 to 128 characters without control characters and dot segments, as it is", () => {
    const allowed = fc
      .string({ unit: "binary", minLength: 1 })
      .filter((id) => id.length <= MAX_PRODUCT_ID_LENGTH && !/\p{Cc}|\p{Cs}|^\ufeff/u.test(id))
      .filter((id) => !id.split(/[/\\]/).some((segment) => segment === "." || segment === ".."));
    fc.assert(fc.property(allowed, (id) => OrderRequest.parse({ id, quantity: 1 }).id === id));
  });

  test.for([" ", "a b", "...", "a..b", ".a", "a.", "ä/ö", "x".repeat(128), "\u{1F600}".repeat(128)])(
    "may be %o",
    (id) => {
      expect(acceptsId(id)).toBe(true);
    },
  );

  test.for([
    ...["", "x".repeat(129), "x".repeat(1_000_000), "a\0", "a\nb", "\u007f", "\u0085", "\ud800", "a\udc00"],
    ...[".", "..", "../x", "x/..", "x/./y", "..\\x", "x\\.\\y", "/.", "./"],
    ...[1, null, undefined, true, [], ["a"], {}],
  ])("may not be %o", (id) => {
    expect(acceptsId(id)).toBe(false);
  });
});

test.for(['"pk": "x"', '"__proto__": {}', '"constructor": 1', '"": 1', '"Quantity": 1'])(
  "an order request has no other fields: %s",
  (field) => {
    expect(accepts(JSON.parse(`{"id": "1", "quantity": 1, ${field}}`))).toBe(false);
  },
);

describe("a refused order request names every field that is wrong, and why:", () => {
  function errorsOf(body: unknown): string[] {
    try {
      parseOrderRequest(body);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== "invalid_order") throw error;
      return error.fields.map(({ path, detail }) => `${path.map(String).join("/")} ${detail}`);
    }
    throw new Error("The body was not refused");
  }

  test.for<[unknown, string[]]>([
    [null, [" must be a JSON object"]],
    [[], [" must be a JSON object"]],
    ["text", [" must be a JSON object"]],
    [{}, ["id is required", "quantity is required"]],
    [{ id: "", quantity: 1 }, ["id must not be empty"]],
    [{ id: "x".repeat(129), quantity: 1 }, ["id must have at most 128 characters"]],
    [{ id: "a\n", quantity: 1 }, ["id must not contain control characters"]],
    [{ id: "../x", quantity: 1 }, ["id must not contain the path segments . and .."]],
    [{ id: "1", quantity: 0 }, ["quantity must be at least 1"]],
    [{ id: "1", quantity: "1000001" }, ["quantity must be at most 1000000"]],
    [
      { id: ["secret"], quantity: "secret" },
      ["id must be a string", "quantity must be a whole number, or one in digits"],
    ],
    [{ id: "1", quantity: 1, a: "secret", b: 2 }, ["a is not a field of an order", "b is not a field of an order"]],
  ])("%o", ([body, errors]) => {
    expect(errorsOf(body)).toEqual(errors);
  });
});

describe("an order's pk", () => {
  test("is every ULID of the library that makes them", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => OrderPk.safeParse(ulid(time)).success));
  });

  test.for([
    ...["", "*", "../x", "01JD7Y4Q2X8WZ5V3T1R9P7N6M", "01JD7Y4Q2X8WZ5V3T1R9P7N6MBB", "01JD7Y4Q2X8WZ5V3T1R9P7N6MB\n"],
    ...["01jd7y4q2x8wz5v3t1r9p7n6mb", "81JD7Y4Q2X8WZ5V3T1R9P7N6MB", "01JD7Y4Q2X8WZ5V3T1R9P7N6MU", "é".repeat(26)],
  ])("is not %j", (pk) => {
    expect(OrderPk.safeParse(pk).success).toBe(false);
  });
});
