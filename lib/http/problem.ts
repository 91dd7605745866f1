import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { type ErrorCode, type FieldError, OrderError } from "../errors.ts";
import { HttpError, type HttpErrorCode } from "./http-error.ts";

/** Which of our failures it was stays in the log. */
const OURS = { status: 500, title: "Something went wrong on our side" } as const;

/** What each error is over HTTP. Everything that is not in this table is an `internal_error`. */
const PROBLEMS = {
  malformed_json: { status: 400, title: "The body is not JSON" },
  invalid_idempotency_key: { status: 400, title: "The Idempotency-Key is not valid" },
  order_not_found: { status: 404, title: "There is no such order" },
  route_not_found: { status: 404, title: "There is nothing at this path" },
  method_not_allowed: { status: 405, title: "The path does not know this method" },
  // A request with prices takes about as long as the inventory may; one that died leaves its key claimed for 30 s at most.
  idempotency_key_in_use: {
    status: 409,
    title: "A request with this Idempotency-Key is being processed",
    retryAfterS: 2,
  },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be application/json" },
  invalid_order: { status: 422, title: "The order is not valid" },
  idempotency_key_reused: { status: 422, title: "The Idempotency-Key was used for a different order" },
  unknown_product: { status: 422, title: "There is no such product" },
  inventory_failed: { status: 502, title: "The product inventory failed" },
  inventory_timed_out: { status: 504, title: "The product inventory took too long" },
  redis_failed: OURS,
  redis_replied_nonsense: OURS,
  internal_error: OURS,
} as const satisfies Record<ErrorCode | HttpErrorCode | "internal_error", ProblemKind>;

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** In how many seconds the same request may be sent again (Retry-After, RFC 9110 section 10.2.3). */
  readonly retryAfterS?: number;
}

export type ProblemCode = keyof typeof PROBLEMS;

/** An RFC 9457 problem document. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly request_id: string;
  /** One entry a refused field, `pointer` a JSON pointer as a URI fragment (RFC 6901 section 6). */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** The code of an error that any part of a request threw. */
export function problemCode(error: unknown): ProblemCode {
  return error instanceof OrderError || error instanceof HttpError ? error.code : "internal_error";
}

export const problemStatus = (code: ProblemCode): number => PROBLEMS[code].status;

/**
 * The reply to a request that failed.
 * @param requestId the id of the invocation, by which the log lines are found
 */
export function problemReply(error: unknown, requestId: string): APIGatewayProxyStructuredResultV2 {
  const code = problemCode(error);
  const { status, title, retryAfterS }: ProblemKind = PROBLEMS[code];
  const publicCode = status === 500 ? "internal_error" : code;
  const fields = error instanceof OrderError ? error.fields : [];
  const problem: Problem = {
    type: `urn:orders:problem:${publicCode.replaceAll("_", "-")}`,
    title,
    status,
    request_id: requestId,
    ...(fields.length > 0 && { errors: fields.map(fieldProblem) }),
  };
  return {
    statusCode: status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(retryAfterS !== undefined && { "retry-after": String(retryAfterS) }),
      ...(error instanceof HttpError && error.headers),
    },
    body: JSON.stringify(problem),
  };
}

function fieldProblem({ path, detail }: FieldError) {
  const segments = path.map((name) => String(name).replaceAll("~", "~0").replaceAll("/", "~1"));
  // A name may have lone surrogates, which are in no URI.
  return { pointer: ["#", ...segments.map((segment) => encodeURIComponent(segment.toWellFormed()))].join("/"), detail };
}
