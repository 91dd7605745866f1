import fc from "fast-check";

export interface Body {
  readonly text: string;
  readonly isBase64Encoded: boolean;
}

const MAX_BODY_BYTES = 16_384;

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
export const bodies: fc.Arbitrary<Body> = fc.tuple(text, fc.nat({ max: 9 })).map(([content, kind]) => {
  if (kind === 9) return { text: Buffer.from(content).toString("base64"), isBase64Encoded: true };
  if (kind === 8) return { text: content, isBase64Encoded: true };
  return { text: content, isBase64Encoded: false };
});
