import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { type ErrorCode, type FieldError, ServiceError } from "../errors.ts";

/** RFC 9110 section 15. Not from `node:http`, which loads all of Node's `fetch`. */
const STATUS_PHRASES = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  502: "Bad Gateway",
  504: "Gateway Timeout",
} as const;

const INTERNAL = {
  status: 500,
  title: "Internal error",
  detail:
    "The request failed on our side. Send it again later, an order only with its Idempotency-Key, because it may have been placed. If it fails again, report the request_id.",
} as const;

/** The HTTP reply for each error. Every other error is an `internal_error`. */
export const PROBLEMS = {
  malformed_json: {
    status: 400,
    title: "Malformed JSON",
    detail: 'The body is not JSON in UTF-8. Send one object, such as {"id": "tea-green", "quantity": 2}.',
  },
  invalid_idempotency_key: {
    status: 400,
    title: "Invalid Idempotency-Key",
    detail:
      "The Idempotency-Key is not valid. Send 16 to 255 characters of printable ASCII, such as a UUID: bare, without spaces, quotes and commas, or as a quoted string of RFC 9651.",
  },
  order_not_found: {
    status: 404,
    title: "Order not found",
    detail: "No order has this pk, or the order was deleted. Check the pk.",
  },
  order_not_found_yet: {
    status: 404,
    title: "Order not found yet",
    detail:
      "No order with this pk can be read. It may have just been placed: read it again after the seconds that Retry-After names.",
    retryAfterS: 1,
  },
  route_not_found: {
    status: 404,
    title: "Path not found",
    detail: "Nothing is at this path. Check it: /openapi.yaml lists all paths.",
  },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    detail: "This path does not support the method. Use one that the Allow header names.",
  },
  // A request with prices takes about as long as the inventory may. If its function crashes, the claim expires after 30 s.
  idempotency_key_in_use: {
    status: 409,
    title: "Idempotency-Key in use",
    detail:
      "Another request with this Idempotency-Key is being processed, or its order cannot be read yet. Send this one again after the seconds that Retry-After names.",
    retryAfterS: 2,
  },
  order_deleted: {
    status: 410,
    title: "Order deleted",
    detail:
      "This Idempotency-Key placed an order that has been deleted since. Do not send the request again: to learn what became of the order, report the request_id.",
  },
  body_too_large: {
    status: 413,
    title: "Body too large",
    detail: "The body has more than 16,384 bytes, more than any valid order needs. Send one order.",
  },
  unsupported_media_type: {
    status: 415,
    title: "Unsupported media type",
    detail: "The body is not plain JSON. Send it as application/json in UTF-8, without a Content-Encoding.",
  },
  invalid_order: {
    status: 422,
    title: "Invalid order",
    detail: "The order is not valid. Correct each field that errors names.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "Idempotency-Key reused",
    detail:
      "This Idempotency-Key has placed a different order. To repeat that request, send it unchanged. Use a new key only for one more order.",
  },
  unknown_product: {
    status: 422,
    title: "Unknown product",
    detail: "The inventory has no product with this id. Check the id.",
  },
  inventory_failed: {
    status: 502,
    title: "Inventory failed",
    detail:
      "The product inventory failed. No order was placed. Send the request again later, with the same Idempotency-Key.",
  },
  inventory_timed_out: {
    status: 504,
    title: "Inventory timed out",
    detail:
      "The product inventory did not answer in time. No order was placed. Send the request again later, with the same Idempotency-Key.",
  },
  redis_failed: INTERNAL,
  redis_invalid_reply: INTERNAL,
  internal_error: INTERNAL,
} as const satisfies Record<ErrorCode | HttpErrorCode | "internal_error", ProblemKind>;

interface ProblemKind {
  readonly status: keyof typeof STATUS_PHRASES;
  readonly title: string;
  readonly detail: string;
  /** The seconds after which the request can be sent again (Retry-After, RFC 9110 section 10.2.3). */
  readonly retryAfterS?: number;
}

type HttpErrorCode =
  | "malformed_json"
  | "invalid_idempotency_key"
  | "route_not_found"
  | "method_not_allowed"
  | "body_too_large"
  | "unsupported_media_type";

type ProblemCode = keyof typeof PROBLEMS;

/** An RFC 9457 problem document. */
interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** How to fix the request. */
  readonly detail: string;
  /** Identifies the problem for programs, also if `type` is `about:blank`. */
  readonly code: ProblemCode;
  readonly request_id: string;
  /** One entry per refused field, `pointer` a JSON pointer as a URI fragment (RFC 6901 section 6). */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** A request that was refused before it reached the domain code. `headers` are added to the reply. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code: HttpErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: HttpErrorCode, headers: Readonly<Record<string, string>> = {}) {
    super(code);
    this.code = code;
    this.headers = headers;
  }
}

/** The code of any error thrown while a request was handled. */
export function problemCode(error: unknown): ProblemCode {
  return error instanceof ServiceError || error instanceof HttpError ? error.code : "internal_error";
}

export const problemStatus = (code: ProblemCode): number => PROBLEMS[code].status;

/**
 * The reply to a request that failed.
 * @param requestId the id of the invocation, which finds its log lines
 * @param typesUrl the base of the types' addresses. Without it the type is `about:blank` and the title is the status phrase
 *   (RFC 9457 section 4.2.1)
 */
export function problemReply(error: unknown, requestId: string, typesUrl = ""): APIGatewayProxyStructuredResultV2 {
  const code = problemCode(error);
  const { status, title, detail, retryAfterS }: ProblemKind = PROBLEMS[code];
  const publicCode = status === 500 ? "internal_error" : code;
  const fields = error instanceof ServiceError ? error.fields : [];
  const problem: Problem = {
    ...(typesUrl === ""
      ? { type: "about:blank", title: STATUS_PHRASES[status] }
      : { type: `${typesUrl}${publicCode.replaceAll("_", "-")}`, title }),
    status,
    detail,
    code: publicCode,
    request_id: requestId,
    ...(fields.length > 0 && { errors: fields.map(fieldProblem) }),
  };
  return {
    statusCode: status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(retryAfterS !== undefined && { "retry-after": String(retryAfterS) }),
      ...(error instanceof HttpError && error.headers),
    },
    body: JSON.stringify(problem),
  };
}

function fieldProblem({ path, detail }: FieldError) {
  const segments = path.map((name) => String(name).replaceAll("~", "~0").replaceAll("/", "~1"));
  // A name may contain lone surrogates, which a URI cannot.
  return { pointer: ["#", ...segments.map((segment) => encodeURIComponent(segment.toWellFormed()))].join("/"), detail };
}
