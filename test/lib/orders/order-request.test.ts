import fc from "fast-check";
import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { OrderPk } from "../../../lib/orders/order.ts";
import { MAX_PRODUCT_ID_LENGTH, MAX_QUANTITY, OrderRequest } from "../../../lib/orders/order-request.ts";

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
  });

  test("is no number outside of that, whole or not, in digits or not", () => {
    const outside = fc.oneof(
      fc.integer({ max: 0 }),
      fc.integer({ min: MAX_QUANTITY + 1 }),
      fc.double().filter((number) => !Number.isInteger(number)),
      fc.bigInt({ min: BigInt(MAX_QUANTITY) + 1n }).map(Number),
    );
    fc.assert(
      fc.property(outside, (quantity) => {
        expect(acceptsQuantity(quantity)).toBe(false);
        expect(acceptsQuantity(String(quantity))).toBe(false);
      }),
    );
  });

  test("is no text but digits", () => {
    const noDigits = fc.string({ unit: "binary" }).filter((text) => !/^[0-9]+$/.test(text));
    fc.assert(fc.property(noDigits, (quantity) => !acceptsQuantity(quantity)));
  });

  test.for([
    ...[0, -1, 1.5, -0, Number("1e400"), 10 ** 30, Number.NaN, true, false, null, undefined, [], [1], {}],
    ...["", " ", "abc", "1.0", "1e3", "0x10", "+1", "-1", " 2", "2 ", "2\n", "0", "٣", "２", "1,000", "9".repeat(400)],
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

  test("has no control character anywhere", () => {
    const control = fc.oneof(fc.integer({ min: 0, max: 0x1f }), fc.integer({ min: 0x7f, max: 0x9f }));
    fc.assert(
      fc.property(fc.string(), control, fc.string(), (before, code, after) => {
        expect(acceptsId(before + String.fromCodePoint(code) + after)).toBe(false);
      }),
    );
  });

  test.for(["a", " ", "a b", "123", "...", "a..b", ".a", "a.", "ä/ö", "x".repeat(128), "\u{1F600}"])(
    "may be %o",
    (id) => {
      expect(acceptsId(id)).toBe(true);
    },
  );

  test.for([
    ...["", "x".repeat(129), "x".repeat(1_000_000), "a\0", "a\n", "\u0085", "\ud800", "a\udc00"],
    ...[".", "..", "../x", "x/..", "x/./y", "..\\x", "x\\.\\y", "/.", "./"],
    ...[1, null, undefined, true, [], ["a"], {}],
  ])("may not be %o", (id) => {
    expect(acceptsId(id)).toBe(false);
  });
});

describe("an order request", () => {
  test.for([null, undefined, [], "text", 1, true, {}, { id: "1" }, { quantity: 1 }])("may not be %o", (request) => {
    expect(accepts(request)).toBe(false);
  });

  test.for(['"extra": 1', '"pk": "x"', '"__proto__": {}', '"constructor": 1', '"": 1', '"Quantity": 1'])(
    "has no other fields: %s",
    (field) => {
      expect(accepts(JSON.parse(`{"id": "1", "quantity": 1, ${field}}`))).toBe(false);
    },
  );
});

describe("an order's pk", () => {
  test("is every ULID of the library that makes them", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => OrderPk.safeParse(ulid(time)).success));
  });

  test("is nothing else", () => {
    const noUlid = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !/^[0-7][0-9A-Z]{25}$/.test(text));
    fc.assert(fc.property(noUlid, (pk) => !OrderPk.safeParse(pk).success));
  });
});
