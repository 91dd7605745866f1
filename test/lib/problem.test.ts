import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { OrderError } from "../../lib/errors.ts";
import { HttpError } from "../../lib/http/http-error.ts";
import { parseOrderRequest } from "../../lib/http/parse.ts";
import { problemReply } from "../../lib/http/problem.ts";
import { allowedMethods } from "../../lib/http/routes.ts";

const REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

const ProblemDocument = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  request_id: z.literal(REQUEST_ID),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
});

const documentOf = ({ body }: APIGatewayProxyStructuredResultV2) => ProblemDocument.parse(JSON.parse(body ?? ""));

const cause = new Error("secret cause");

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown");
}

describe("an error that the client can mend says which it is", () => {
  test.for<[Error, number, string]>([
    [new HttpError("malformed_json"), 400, "malformed-json"],
    [new OrderError("invalid_idempotency_key"), 400, "invalid-idempotency-key"],
    [new OrderError("order_not_found"), 404, "order-not-found"],
    [new HttpError("route_not_found"), 404, "route-not-found"],
    [new HttpError("method_not_allowed"), 405, "method-not-allowed"],
    [new HttpError("body_too_large"), 413, "body-too-large"],
    [new HttpError("unsupported_media_type"), 415, "unsupported-media-type"],
    [new OrderError("invalid_order"), 422, "invalid-order"],
    [new OrderError("idempotency_key_reused"), 422, "idempotency-key-reused"],
    [new OrderError("unknown_product"), 422, "unknown-product"],
  ])("%o is %d %s", ([error, status, name]) => {
    const reply = problemReply(error, REQUEST_ID);

    expect(reply).toMatchObject({
      statusCode: status,
      headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    });
    const document = documentOf(reply);
    expect(document).toMatchObject({ type: `urn:orders:problem:${name}`, status });
    expect(document.title).not.toBe("");
  });
});

describe("a failure of the inventory is told from ours, and tells nothing more", () => {
  test.for<[OrderError, number, string, string]>([
    [new OrderError("inventory_failed", { cause }), 502, "inventory-failed", "The product inventory failed"],
    [
      new OrderError("inventory_timed_out", { cause }),
      504,
      "inventory-timed-out",
      "The product inventory took too long",
    ],
  ])("%o is %d %s", ([error, status, name, title]) => {
    const reply = problemReply(error, REQUEST_ID);

    expect(reply.statusCode).toBe(status);
    expect(documentOf(reply)).toEqual({ type: `urn:orders:problem:${name}`, title, status, request_id: REQUEST_ID });
  });
});

describe("a failure of ours looks like every other and tells nothing", () => {
  test.for<[string, unknown]>([
    ["Redis fails", new OrderError("redis_failed", { cause })],
    ["Redis replies nonsense", new OrderError("redis_replied_nonsense", { cause })],
    ["any other error", new TypeError("secret", { cause })],
    ["an error with a status of its own", Object.assign(new Error("secret"), { statusCode: 404, status: 404 })],
    ["an error with a code of ours", Object.assign(new Error("secret"), { code: "order_not_found" })],
    ["something thrown that is no error", "secret"],
    ["nothing thrown", undefined],
    ["null thrown", null],
  ])("%s", ([, error]) => {
    expect(problemReply(error, REQUEST_ID)).toEqual({
      statusCode: 500,
      headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
      body: JSON.stringify({
        type: "urn:orders:problem:internal-error",
        title: "Something went wrong on our side",
        status: 500,
        request_id: REQUEST_ID,
      }),
    });
  });
});

describe("each refused field has a JSON pointer, as a URI fragment", () => {
  test.for<[string, string]>([
    ["a/b", "#/a~1b"],
    ["a~b", "#/a~0b"],
    ["a%b", "#/a%25b"],
    ["a b", "#/a%20b"],
    ["ä", "#/%C3%A4"],
    ["", "#/"],
    ["~1", "#/~01"],
    ["\u{1F600}", "#/%F0%9F%98%80"],
    ["\ud800", "#/%EF%BF%BD"],
  ])("%o", ([name, pointer]) => {
    const error = thrownBy(() => parseOrderRequest({ id: "1", quantity: 1, [name]: 1 }));

    expect(documentOf(problemReply(error, REQUEST_ID)).errors).toEqual([
      { pointer, detail: "is not a field of an order" },
    ]);
  });

  test("a body that is no object is refused as a whole", () => {
    const error = thrownBy(() => parseOrderRequest([]));

    expect(documentOf(problemReply(error, REQUEST_ID)).errors).toEqual([
      { pointer: "#", detail: "must be a JSON object" },
    ]);
  });
});

describe("a request that no route took", () => {
  test.for([
    ["/orders", "POST"],
    ["/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET"],
    ["/", "GET"],
    ["/docs", "GET"],
    ["/docs/any", "GET"],
    ["/openapi.yaml", "GET"],
  ])("the methods of %s are %s, besides OPTIONS", ([path = "", method]) => {
    expect(allowedMethods(path)).toBe(`${method}, OPTIONS`);
  });

  test.for(["", "/order", "/orders/a/b", "/openapi.yml", "/ORDERS", "/constructor", "/__proto__"])(
    "%o is nowhere",
    (path) => {
      const reply = problemReply(
        thrownBy(() => allowedMethods(path)),
        REQUEST_ID,
      );

      expect(reply.statusCode).toBe(404);
    },
  );
});
