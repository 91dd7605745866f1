import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { expect, test } from "vitest";
import * as z from "zod";
import { ServiceError } from "../../../lib/errors.ts";
import { HttpError, problemReply } from "../../../lib/http/problem.ts";

const REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

const TYPES = "https://docs.example.com/problems#";

const ProblemDocument = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  request_id: z.literal(REQUEST_ID),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
});

const HEADERS = {
  "content-type": "application/problem+json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

const documentOf = ({ body }: APIGatewayProxyStructuredResultV2) => ProblemDocument.parse(JSON.parse(body ?? ""));

const cause = new Error("secret cause");

test("a key that is in use can be tried again after two seconds", () => {
  const { headers } = problemReply(new ServiceError("idempotency_key_in_use"), REQUEST_ID);

  expect(headers).toEqual({ ...HEADERS, "retry-after": "2" });
});

test("where the types have a base, a problem's type is its name there, and its title is the type's own", () => {
  const document = documentOf(problemReply(new HttpError("method_not_allowed"), REQUEST_ID, TYPES));

  expect(document).toMatchObject({
    type: `${TYPES}method-not-allowed`,
    title: "Method not allowed",
    code: "method_not_allowed",
  });
});

test.for<[string, unknown]>([
  ["Redis fails", new ServiceError("redis_failed", { cause })],
  ["Redis replies nonsense", new ServiceError("redis_invalid_reply", { cause })],
  ["an error with a status of its own", Object.assign(new Error("secret"), { statusCode: 404, status: 404, cause })],
  ["an error with a code of ours", Object.assign(new Error("secret"), { code: "order_not_found" })],
  ["something thrown that is no error", "secret"],
  ["nothing thrown", undefined],
  ["null thrown", null],
])("a failure of ours looks like every other and tells nothing: %s", ([, error]) => {
  const reply = problemReply(error, REQUEST_ID, TYPES);

  expect(reply).toMatchObject({ statusCode: 500, headers: HEADERS });
  expect(documentOf(reply)).toEqual({
    type: `${TYPES}internal-error`,
    title: "Internal error",
    status: 500,
    detail: expect.stringContaining("later"),
    code: "internal_error",
    request_id: REQUEST_ID,
  });
  expect(JSON.stringify(reply)).not.toContain("secret");
});

test.for([
  ["a/b", "#/a~1b"],
  ["a~b", "#/a~0b"],
  ["a%b", "#/a%25b"],
  ["ä", "#/%C3%A4"],
  ["", "#/"],
  ["~1", "#/~01"],
  ["\u{1F600}", "#/%F0%9F%98%80"],
  ["\ud800", "#/%EF%BF%BD"],
] as const)("a refused field has a JSON pointer, as a URI fragment: %o", ([name, pointer]) => {
  const error = new ServiceError("invalid_order", { fields: [{ path: [name], detail: "is wrong" }] });

  expect(documentOf(problemReply(error, REQUEST_ID)).errors).toEqual([{ pointer, detail: "is wrong" }]);
});
