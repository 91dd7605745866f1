import { describe, expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { httpEvent, placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { expectProblem } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";
import { refusal } from "../support/refusal.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();
const refused = refusal(redis, functions, log);

const TEA = '{"id": "tea-green", "quantity": 2}';
const base64 = (text: string) => Buffer.from(text).toString("base64");

test.for<[string, string]>([
  ["an empty body", ""],
  ["white space", "  \n"],
  ["a word", "tea"],
  ["an open object", '{"id": "tea", "quantity": 2'],
  ["text after the object", `${TEA} x`],
  ["two objects", `${TEA}${TEA}`],
  ["single quotes", "{'id': 'tea', 'quantity': 2}"],
  ["a trailing comma", '{"id": "tea", "quantity": 2,}'],
  ["a comment", '{"id": "tea", /* two */ "quantity": 2}'],
  ["NaN", '{"id": "tea", "quantity": NaN}'],
  ["Infinity", '{"id": "tea", "quantity": Infinity}'],
  ["a number in hexadecimal", '{"id": "tea", "quantity": 0x2}'],
  ["a number with a leading zero", '{"id": "tea", "quantity": 02}'],
  ["a raw control character in a string", '{"id": "te\u0001a", "quantity": 2}'],
  ["a byte order mark", `\uFEFF${TEA}`],
  ["a form", "id=tea&quantity=2"],
  ["base64 as text", base64(TEA)],
  ["a cut escape", '{"id": "\\u12", "quantity": 2}'],
])("%s is not JSON: 400", async ([, body]) => {
  await refused(placeOrderEvent(body), 400, "malformed-json");
});

test.for<[string, string]>([
  ["that is no JSON", base64("tea")],
  ["that is nothing", ""],
  ["that is no base64", "!!!!"],
  ["with a byte order mark", base64(`\uFEFF${TEA}`)],
])("a body in base64 %s: 400", async ([, body]) => {
  await refused({ ...placeOrderEvent(body), isBase64Encoded: true }, 400, "malformed-json");
});

const UNTELLABLE: [string, Uint8Array][] = [
  ["a Latin-1 é", Uint8Array.of(0xe9)],
  ["a byte that UTF-8 never has", Uint8Array.of(0xff)],
  ["a cut emoji", Buffer.from("😀").subarray(0, 3)],
  ["an overlong slash", Uint8Array.of(0xc0, 0xaf)],
  ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80)],
  ["the replacement character itself", Buffer.from("\ufffd")],
];

describe("a product id with bytes that are not valid UTF-8, or look like it to the function, is refused with 400:", () => {
  const orderWith = (bytes: Uint8Array) =>
    Buffer.concat([Buffer.from('{"id": "'), bytes, Buffer.from('", "quantity": 2}')]);

  test.for(UNTELLABLE)("%s, decoded by API Gateway", async ([, bytes]) => {
    await refused(placeOrderEvent(orderWith(bytes).toString()), 400, "malformed-json");
  });

  test.for(UNTELLABLE)("%s, in base64", async ([, bytes]) => {
    const event = placeOrderEvent(orderWith(bytes).toString("base64"));

    await refused({ ...event, isBase64Encoded: true }, 400, "malformed-json");
  });
});

test("a replacement character that is written as an escape is taken", async () => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent('{"id": "tea\\ufffd", "quantity": 2}'));

  expect(reply).toMatchObject({ statusCode: 200, body: { product_id: "tea\ufffd" } });
});

test("a request without a body: 400", async () => {
  const { body: _, ...event } = placeOrderEvent(TEA);

  await refused(event, 400, "malformed-json");
});

test("a request without a body, as serverless-offline hands it over: 400", async () => {
  await refused(Object.assign(placeOrderEvent(TEA), { body: null }), 400, "malformed-json");
});

test.for<string | undefined>([
  undefined,
  "",
  "text/plain",
  "text/json",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/octet-stream",
  "application/jsonx",
  "application/vnd.orders+json",
  "application/xml; profile=application/json",
  "application/json, application/json",
  "application/json; charset=iso-8859-1",
  'application/json; charset="UTF-16"',
  "application/json; charset=",
  "application/json; charset=utf-8; charset=latin1",
  "application/json; profile=x ;Charset=us-ascii",
])("the content type %o: 415", async (contentType) => {
  const event = httpEvent({
    routeKey: "POST /orders",
    method: "POST",
    path: "/orders",
    headers: contentType === undefined ? {} : { "content-type": contentType },
    body: TEA,
  });

  await refused(event, 415, "unsupported-media-type");
});

test.for(["gzip", "br", "identity, gzip", "utf-8"])(
  "the content encoding %o: 415, told which is taken",
  async (coding) => {
    const event = placeOrderEvent(TEA, { "content-encoding": coding });

    await refused(event, 415, "unsupported-media-type");
    expect(await functions.invokeHttp("createOrder", event)).toMatchObject({
      headers: { "accept-encoding": "identity" },
    });
  },
);

test.for(["identity", "Identity", ""])("the content encoding %o is taken: it means none", async (coding) => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "content-encoding": coding }));

  expect(reply.statusCode).toBe(200);
});

test.for([
  "application/json",
  "Application/JSON; charset=utf-8",
  "application/json ;charset=utf-8",
  'application/json; charset="UTF-8"',
  "application/json; charset=utf8; profile=x",
  "application/json;",
])("the content type %o is taken", async (contentType) => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "content-type": contentType }));

  expect(reply.statusCode).toBe(200);
});

test.for([4_000, 8_000])(
  "%d arrays in each other are refused, whether or not the parser's stack can hold them",
  async (levels) => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent("[".repeat(levels) + "]".repeat(levels)));

    if (reply.statusCode === 400) expectProblem(reply, 400, "malformed-json");
    else expectProblem(reply, 422, "invalid-order", ["#"]);
    expect(functions.upstash.requests).toEqual([]);
    expect(log.logged).toHaveLength(1);
  },
);

test.for<[string, string]>([
  ["10 MB of an order", `{"id": "${"x".repeat(10 * 1024 * 1024)}", "quantity": 2}`],
  ["10 MB of no JSON", "x".repeat(10 * 1024 * 1024)],
  ["10,000 arrays in each other", "[".repeat(10_000) + "]".repeat(10_000)],
  ["an order and white space, 16,385 bytes", TEA.padEnd(16_385)],
  ["8,193 characters of two bytes", "é".repeat(8_193)],
])("%s: 413", async ([, body]) => {
  await refused(placeOrderEvent(body), 413, "body-too-large");
});

test("10 MB in base64: 413", async () => {
  const event = placeOrderEvent(base64(`{"id": "${"x".repeat(10 * 1024 * 1024)}", "quantity": 2}`));

  await refused({ ...event, isBase64Encoded: true }, 413, "body-too-large");
});

test("an order and white space of 16,384 bytes is not too large", async () => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA.padEnd(16_384)));

  expect(reply.statusCode).toBe(200);
});
