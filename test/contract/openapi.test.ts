import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { problemReply } from "../../lib/http/problem.ts";
import { MAX_BODY_BYTES } from "../../lib/http/request.ts";
import { parseIdempotencyKey } from "../../lib/orders/idempotency-key.ts";
import { Order, OrderPk } from "../../lib/orders/order.ts";
import { OrderRequest } from "../../lib/orders/order-request.ts";
import { order } from "../model/http-requests.ts";
import { childOf, namesOf, openapi } from "../support/contract.ts";
import { redocly } from "../support/run.ts";

const RUNS = 3_000;

const inDocument = (name: string) => openapi.at("components", "schemas", name);
const fits = (value: unknown, ...path: string[]) => openapi.fault(value, ...path) === undefined;

/** Lone surrogates aside, which only the code refuses: Rust, for one, cannot write them in a pattern. */
function expectSameOfOrder(body: unknown): void {
  const id = childOf(body, "id");
  if (typeof id === "string" && !id.isWellFormed()) return;
  expect(fits(body, "components", "schemas", "OrderRequest")).toBe(OrderRequest.safeParse(body).success);
}

describe("openapi.yaml and the code accept and refuse the same", () => {
  test("orders", () => {
    fc.assert(
      fc.property(
        order.map((text): unknown => JSON.parse(text)),
        expectSameOfOrder,
      ),
      { numRuns: RUNS },
    );
  });

  const nearlyDots = fc.string({
    unit: fc.constantFrom(".", "/", "\\", "a", "\n", "\u2028", "\ud83d", "😀"),
    maxLength: 8,
  });
  const nearlyQuantity = fc.oneof(
    fc.string({ unit: fc.constantFrom("0", "1", "9", "-", ".", "٣"), maxLength: 9 }),
    fc.integer({ min: 999_990, max: 1_000_010 }).map(String),
  );

  test("what is nearly an id, and nearly a quantity in digits", () => {
    fc.assert(
      fc.property(nearlyDots, nearlyQuantity, (id, quantity) => {
        expectSameOfOrder({ id, quantity: 1 });
        expectSameOfOrder({ id: "tea", quantity });
      }),
      { numRuns: RUNS },
    );
  });

  const nearlyKey = fc.oneof(
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

  test("Idempotency-Keys", () => {
    const accepted = (key: string) => {
      try {
        return parseIdempotencyKey(key) !== undefined;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(nearlyKey, (key) => {
        expect(fits(key, "paths", "/orders", "post", "parameters", "0", "schema")).toBe(accepted(key));
      }),
      { numRuns: RUNS },
    );
  });

  test("pks", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("0", "7", "8", "A", "Z", "U", "i"), minLength: 25, maxLength: 27 }),
        (pk) => {
          expect(fits(pk, "components", "schemas", "Pk")).toBe(OrderPk.safeParse(pk).success);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

test("an order has the fields in openapi.yaml that it has in the code, and the same of them always", () => {
  const code = z.toJSONSchema(Order, { io: "output" });

  const document = inDocument("Order");
  expect(namesOf(childOf(document, "properties"))).toEqual(namesOf(code.properties));
  expect(childOf(document, "required")).toEqual(code.required);
  expect(openapi.at("components", "schemas", "Order", "properties", "status", "enum")).toEqual(
    childOf(childOf(code.properties, "status"), "enum"),
  );
});

test("openapi.yaml tells the largest body that the code takes", () => {
  const description = String(openapi.at("paths", "/orders", "post", "requestBody", "description"));

  expect(description).toContain(`${MAX_BODY_BYTES.toLocaleString("en")} bytes`);
});

test("a failure that nobody foresaw is a problem that openapi.yaml has", () => {
  const { body } = problemReply(new Error("no one knows"), "a-request");

  expect(openapi.fault(JSON.parse(body ?? ""), "components", "schemas", "Problem")).toBeUndefined();
});

describe("Redocly", () => {
  const Report = z.object({
    totals: z.object({ errors: z.number(), warnings: z.number(), ignored: z.number() }),
    problems: z.array(z.unknown()),
  });

  test.for(["openapi.yaml", "asyncapi.yaml"])(
    "%s has nothing that Redocly's recommended rules warn of",
    async (file) => {
      const report = await redocly("lint", file, "--format", "json", "--extends", "recommended");

      const { totals, problems } = Report.parse(JSON.parse(report));
      expect(problems).toEqual([]);
      expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
    },
  );
});
