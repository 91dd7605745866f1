import fc from "fast-check";
import { type Body, bodies } from "./http-bodies.ts";

/** A key that made an order before the request, the order it made, and the order's pk as requests hold its place. */
export const SEED_KEY = "the-key-of-the-first-order";
export const SEED_ORDER = { id: "tea-green", quantity: 2 };
export const SEED_PK = "{seed}";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly query: Record<string, string> | undefined;
  readonly body: Body | undefined;
}

const chance = fc.nat({ max: 9 });

/** Printable ASCII, and now and then what no client should send. */
const headerValue = fc.oneof(
  { arbitrary: fc.string({ maxLength: 40 }), weight: 3 },
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", ",", '"', "a".repeat(8_000)),
);

const contentType = fc.oneof(
  { arbitrary: fc.constantFrom("application/json", "application/json; charset=utf-8", "Application/JSON"), weight: 24 },
  fc.constantFrom("application/merge-patch+json", "text/plain", "application/jsonx", "application/json;", ""),
  headerValue,
);

const idempotencyKey = fc.oneof(
  { arbitrary: fc.constantFrom(SEED_KEY, `"${SEED_KEY}"`), weight: 4 },
  { arbitrary: fc.uuid(), weight: 4 },
  fc.string({ minLength: 14, maxLength: 18 }),
  fc.string({ unit: fc.constantFrom("a", "-", '"', "\\", " ", ",", "é"), minLength: 10, maxLength: 20 }),
  fc.integer({ min: 253, max: 258 }).map((length) => "k".repeat(length)),
  headerValue,
);

const otherHeaders = fc.dictionary(
  fc.oneof(
    fc.constantFrom("accept", "authorization", "cookie", "content-encoding", "content-length", "x-amzn-trace-id"),
    fc.constantFrom("__proto__", "constructor", "transfer-encoding", "expect", "x-http-method-override"),
    fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 6 }),
  ),
  headerValue,
  { maxKeys: 3 },
);

/** A query string as API Gateway hands it over: as it came, and by names. No route has one. */
const query = fc.option(
  fc.dictionary(fc.oneof(fc.constantFrom("pk", "id", "quantity", "__proto__"), fc.string()), fc.string(), {
    minKeys: 1,
    maxKeys: 2,
  }),
  { nil: undefined, freq: 3 },
);

const headers = fc
  .record({
    type: fc.option(contentType, { nil: undefined, freq: 30 }),
    key: idempotencyKey,
    hasKey: chance,
    otherHeaders,
  })
  .map(({ type, key, hasKey, otherHeaders: others }) => ({
    ...others,
    ...(type !== undefined && { "content-type": type }),
    ...(hasKey < 4 && { "idempotency-key": key }),
  }));

/** The seed's pk, the same with a character changed, and anything else that may stand in a path. */
const pk = fc.oneof(
  fc.constantFrom(SEED_PK, "01JD7Y4Q2X8WZ5V3T1R9P7N6MB", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01jd7y4q2x8wz5v3t1r9p7n6mb"),
  fc.constantFrom("__proto__", "constructor", "..", "%2e%2e", "%00", "%", "orders:pending", "*", "\u{1F600}"),
  fc.tuple(fc.nat({ max: 25 }), fc.string({ minLength: 1, maxLength: 2 })).map(([at, text]) => {
    const ulid = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
    return ulid.slice(0, at) + text + ulid.slice(at + 1);
  }),
  fc.string({ unit: "binary", minLength: 1 }),
  fc.constant("0".repeat(8_000)),
);

const segment = fc.oneof(
  fc.constantFrom("orders", "docs", "openapi.yaml", "", ".", "__proto__", SEED_PK),
  fc.webSegment(),
);
const path = fc.oneof(
  { arbitrary: fc.constant("/orders"), weight: 4 },
  { arbitrary: pk.map((text) => `/orders/${text}`), weight: 4 },
  fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`),
);

const method = fc.oneof(
  { arbitrary: fc.constantFrom("POST", "GET"), weight: 6 },
  fc.constantFrom("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "post", "PROPFIND"),
);

const anyRequest = fc.record({ method, path, headers, query, body: fc.option(bodies, { nil: undefined }) });
const placing = fc.record({ method: fc.constant("POST"), path: fc.constant("/orders"), headers, query, body: bodies });
const reading = fc.record({
  method: fc.constant("GET"),
  path: pk.map((text) => `/orders/${text}`),
  headers,
  query,
  body: fc.constant(undefined),
});

/** Requests that are nearly valid: what a client may get wrong, one thing or a few at a time. */
export const requests: fc.Arbitrary<HttpRequest> = fc.oneof(
  { arbitrary: placing, weight: 6 },
  { arbitrary: reading, weight: 2 },
  { arbitrary: anyRequest, weight: 2 },
);
