import type { APIGatewayProxyEventV2 } from "aws-lambda";
import fc from "fast-check";
import { httpEvent } from "../../lab/lambda-host/events.ts";

/** A key that made an order before the request, the order it made, and the order's pk as requests hold its place. */
export const SEED_KEY = "the-key-of-the-first-order";

export const SEED_ORDER = { id: "tea-green", quantity: 2 };

const SEED_PK = "{seed}";

const MAX_BODY_BYTES = 16_384;

interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Body | undefined;
}

interface Body {
  readonly text: string;
  readonly isBase64Encoded: boolean;
}

type FunctionName = "createOrder" | "getOrder" | "unknownRoute";

/** Printable ASCII, and now and then what no client should send. */
const headerValue = fc.oneof(
  { arbitrary: fc.string({ maxLength: 40 }), weight: 3 },
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", ",", '"', "a".repeat(8_000)),
);

const headers = fc
  .tuple(
    fc.constantFrom(...Array<string>(24).fill("application/json"), "Application/JSON; charset=utf-8", "text/plain", ""),
    fc.option(fc.oneof(fc.constantFrom(SEED_KEY, `"${SEED_KEY}"`), fc.uuid(), headerValue), { nil: undefined }),
    fc.dictionary(
      fc.constantFrom("accept", "authorization", "content-encoding", "content-length", "__proto__", "constructor"),
      headerValue,
      { maxKeys: 2 },
    ),
  )
  .map(([type, key, others]) => ({
    ...others,
    "content-type": type,
    ...(key !== undefined && { "idempotency-key": key }),
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

const path = fc.oneof(
  { arbitrary: fc.constant("/orders"), weight: 4 },
  { arbitrary: pk.map((text) => `/orders/${text}`), weight: 4 },
  fc.webPath(),
  fc.constantFrom("", "/docs/", "//", "/orders/", "/./orders", "/__proto__"),
);

const method = fc.oneof(
  { arbitrary: fc.constantFrom("POST", "GET"), weight: 6 },
  fc.constantFrom("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "post", "PROPFIND"),
);

const validId = fc.constantFrom("tea-green", "123", "ä", "\u{1F600}", "x".repeat(128));

const oddId = fc.oneof(
  fc.constantFrom<unknown>("", "x".repeat(129), "..", "a/../b", "\u0000", "\ud800", "a\u0085", 123, null, ["a"], {}),
  fc.string({ unit: "binary", maxLength: 140 }),
  fc.jsonValue({ maxDepth: 2 }),
);

const validQuantity = fc.constantFrom<unknown>(1, 2, "2", "0002", 1_000_000);

const oddQuantity = fc.oneof(
  fc.constantFrom<unknown>(0, -1, 1.5, 1_000_001, 1e30, "0", "-1", "1.0", "1e3", "", " 2", "٣", true, null, [1], {}),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Fields that no order has, those with a meaning to JavaScript among them. */
const extra = fc.dictionary(
  fc.oneof(fc.constantFrom("pk", "status", "Id", "constructor", "toString", "a/b~c"), fc.string()),
  fc.jsonValue({ maxDepth: 1 }),
  { minKeys: 1, maxKeys: 2 },
);

const valid = { id: validId, quantity: validQuantity };

/** An order as JSON, or one with a single thing that is odd, or with several. */
export const order = fc
  .oneof(
    { arbitrary: fc.record(valid), weight: 3 },
    { arbitrary: fc.record({ ...valid, id: oddId }), weight: 2 },
    { arbitrary: fc.record({ ...valid, quantity: oddQuantity }), weight: 2 },
    fc.tuple(fc.record(valid), extra).map(([fields, others]) => ({ ...fields, ...others })),
    fc.record(valid, { requiredKeys: [] }),
    fc
      .tuple(fc.record({ id: oddId, quantity: oddQuantity }), extra)
      .map(([fields, others]) => ({ ...fields, ...others })),
  )
  .map((fields) => JSON.stringify(fields));

/** JSON with a piece cut out, doubled or put in: nearly an order, or one that is written in an odd way. */
const edited = fc
  .record({
    text: fc.oneof(order, fc.constant('{"id": "tea-green", "quantity": 2}')),
    at: fc.nat({ max: 40 }),
    cut: fc.nat({ max: 3 }),
    put: fc.oneof(
      fc.constantFrom("", " ", "\n", "\ufeff", ",", "{", "}", "[", '"', "\\", "\\u0000", "0", "-", "e9", "/**/"),
      fc.constantFrom('"__proto__": {},', '"id": "x",', '"quantity": 3,', "null"),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
  })
  .map(({ text, at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut));

const noOrder = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "null", "[]", '"tea"', "id=tea&quantity=2", "[".repeat(5_000) + "]".repeat(5_000)),
);

/** An order and white space, around the size that is too large. */
const large = fc
  .tuple(order, fc.integer({ min: MAX_BODY_BYTES - 2, max: MAX_BODY_BYTES + 2 }))
  .map(([text, length]) => text.padEnd(length));

const text = fc.oneof({ arbitrary: order, weight: 8 }, { arbitrary: edited, weight: 4 }, noOrder, large);

/** API Gateway hands a body over as it is, or in base64 where it takes it for binary. */
const bodies: fc.Arbitrary<Body> = fc.tuple(text, fc.nat({ max: 9 })).map(([content, kind]) => {
  if (kind === 9) return { text: Buffer.from(content).toString("base64"), isBase64Encoded: true };
  if (kind === 8) return { text: content, isBase64Encoded: true };
  return { text: content, isBase64Encoded: false };
});

/** Requests that are nearly valid: what a client may get wrong, one thing or a few at a time. */
export const requests: fc.Arbitrary<HttpRequest> = fc.oneof(
  {
    arbitrary: fc.record({ method: fc.constant("POST"), path: fc.constant("/orders"), headers, body: bodies }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      method: fc.constant("GET"),
      path: pk.map((text) => `/orders/${text}`),
      headers,
      body: fc.constant(undefined),
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ method, path, headers, body: fc.option(bodies, { nil: undefined }) }), weight: 2 },
);

/** The function that API Gateway's routes lead a request to, and the event that it gets. The docs' routes are left out. */
export function routed(
  request: HttpRequest,
  seedPk: string,
): { readonly name: FunctionName; readonly event: APIGatewayProxyEventV2 } {
  const { method: verb, headers: given, body } = request;
  const at = request.path.replaceAll(SEED_PK, seedPk);
  const orderPath = /^\/orders\/([^/]+)$/s.exec(at)?.[1];
  const [name, routeKey]: [FunctionName, string] =
    verb === "POST" && at === "/orders"
      ? ["createOrder", "POST /orders"]
      : (verb === "GET" || verb === "HEAD") && orderPath !== undefined
        ? ["getOrder", `${verb} /orders/{pk}`]
        : ["unknownRoute", "$default"];
  const event = httpEvent({
    ...{ routeKey, method: verb, path: at, headers: given },
    ...(name === "getOrder" && orderPath !== undefined && { pathParameters: { pk: decoded(orderPath) } }),
    ...(body !== undefined && { body: body.text, isBase64Encoded: body.isBase64Encoded }),
  });
  return { name, event };
}

/** API Gateway decodes path parameters; what cannot be decoded is handed over as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
