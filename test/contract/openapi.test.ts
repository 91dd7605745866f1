import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { childOf, namesOf, openapi } from "../../lab/contract.ts";
import { MAX_BODY_BYTES, parseIdempotencyKey } from "../../lib/http/request.ts";
import { Order, OrderPk } from "../../lib/orders/order.ts";
import { OrderRequest } from "../../lib/orders/order-request.ts";
import { order } from "../model/http-requests.ts";
import { redocly } from "../support/run.ts";

const dotted = fc.string({ unit: fc.constantFrom(".", "/", "\\", "a", "\n", "\u2028", "\ud83d", "😀"), maxLength: 8 });
const digits = fc.string({ unit: fc.constantFrom("0", "1", "9", "-", ".", "٣"), maxLength: 9 });
const orders = fc
  .oneof(
    order.map((text): unknown => JSON.parse(text)),
    dotted.map((id) => ({ id, quantity: 1 })),
    digits.map((quantity) => ({ id: "tea", quantity })),
    fc.integer({ min: 999_990, max: 1_000_010 }).map((quantity) => ({ id: "tea", quantity: String(quantity) })),
  )
  // Lone surrogates only the code refuses: Rust, for one, cannot write them in a pattern.
  .filter((body) => {
    const id = childOf(body, "id");
    return typeof id !== "string" || id.isWellFormed();
  });

const keys = fc.oneof(
  fc.string({ minLength: 14, maxLength: 20 }),
  fc.string({ unit: fc.constantFrom("a", "-", '"', "\\", " ", ",", "é"), minLength: 14, maxLength: 20 }),
  fc
    .string({ unit: fc.constantFrom("a", " ", '\\"', "\\\\", "\\"), minLength: 14, maxLength: 20 })
    .map((key) => `"${key}"`),
  fc.integer({ min: 253, max: 258 }).map((length) => "k".repeat(length)),
  fc
    .string({ unit: fc.constantFrom(";", "a", "A", "*", "=", '"', "\\", " ", ",", "?", "%", "1"), maxLength: 8 })
    .map((parameters) => `"${"k".repeat(16)}";a${parameters}`),
);

function isKey(key: unknown): boolean {
  try {
    return parseIdempotencyKey(String(key)) !== undefined;
  } catch {
    return false;
  }
}

const pks = fc.string({ unit: fc.constantFrom("0", "7", "8", "A", "Z", "U", "i"), minLength: 25, maxLength: 27 });

test.for<[string, fc.Arbitrary<unknown>, string, (value: unknown) => boolean]>([
  ["orders", orders, "components schemas OrderRequest", (body) => OrderRequest.safeParse(body).success],
  ["Idempotency-Keys", keys, "paths /orders post parameters 0 schema", isKey],
  ["pks", pks, "components schemas Pk", (pk) => OrderPk.safeParse(pk).success],
])("openapi.yaml and the code accept and refuse the same %s", ([, values, path, accepts]) => {
  fc.assert(
    fc.property(values, (value) => {
      expect(openapi.fault(value, ...path.split(" ")) === undefined).toBe(accepts(value));
    }),
    { numRuns: 8_000 },
  );
});

test("an order has the fields in openapi.yaml that it has in the code, and the same of them always", () => {
  const code = z.toJSONSchema(Order, { io: "output" });

  const document = openapi.at("components", "schemas", "Order");
  expect(namesOf(childOf(document, "properties"))).toEqual(namesOf(code.properties));
  expect(childOf(document, "required")).toEqual(code.required);
  expect(childOf(childOf(childOf(document, "properties"), "status"), "enum")).toEqual(
    childOf(childOf(code.properties, "status"), "enum"),
  );
});

test("openapi.yaml tells the largest body that the code takes", () => {
  const description = String(openapi.at("paths", "/orders", "post", "requestBody", "description"));

  expect(description).toContain(`${MAX_BODY_BYTES.toLocaleString("en")} bytes`);
});

test.for(["openapi.yaml", "asyncapi.yaml"])("%s has nothing that Redocly's recommended rules warn of", async (file) => {
  const report: unknown = JSON.parse(await redocly("lint", file, "--format", "json", "--extends", "recommended"));

  expect(report).toMatchObject({ problems: [], totals: { errors: 0, warnings: 0, ignored: 0 } });
});
