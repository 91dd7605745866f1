import { expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { useRedis } from "../support/redis.ts";
import { refusal } from "../support/refusal.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();
const refused = refusal(redis, functions, log);

const TEA = '{"id": "tea-green", "quantity": 2}';
const base64 = (text: string) => Buffer.from(text).toString("base64");

test.for<[string, string]>([
  ["an array", "[]"],
  ["an array of an order", `[${TEA}]`],
  ["null", "null"],
  ["true", "true"],
  ["a number", "42"],
  ["a string", '"tea"'],
  ["base64 as a JSON string", JSON.stringify(base64(TEA))],
  ["an array in 100 arrays", "[".repeat(100) + "]".repeat(100)],
])("%s is no order: 422, told of the whole body", async ([, body]) => {
  await refused(placeOrderEvent(body), 422, "invalid-order", ["#"]);
});

test.for<[string, string, string[]]>([
  ["an empty object", "{}", ["#/id", "#/quantity"]],
  ["no id", '{"quantity": 2}', ["#/id"]],
  ["no quantity", '{"id": "tea"}', ["#/quantity"]],
  ["a field too many", '{"id": "tea", "quantity": 2, "price": 0}', ["#/price"]],
  ["two fields too many", '{"id": "tea", "quantity": 2, "pk": "x", "status": "completed"}', ["#/pk", "#/status"]],
  ["a field with slash, tilde and space", '{"id": "tea", "quantity": 2, "a/b~ c": 1}', ["#/a~1b~0%20c"]],
  ["a field without a name", '{"id": "tea", "quantity": 2, "": 1}', ["#/"]],
  ["both fields wrong and one too many", '{"id": 1, "quantity": 0, "x": 1}', ["#/id", "#/quantity", "#/x"]],
  ["names in upper case", '{"ID": "tea", "Quantity": 2}', ["#/id", "#/quantity", "#/ID", "#/Quantity"]],
  ["a field toString", '{"id": "tea", "quantity": 2, "toString": 1}', ["#/toString"]],
  ["a field constructor", '{"id": "tea", "quantity": 2, "constructor": 1}', ["#/constructor"]],
  ["a quantity that is valid only the first time", '{"id": "tea", "quantity": 2, "quantity": 0}', ["#/quantity"]],
])("%s: 422, told of each field", async ([, body, pointers]) => {
  await refused(placeOrderEvent(body), 422, "invalid-order", pointers);
});

test.for<[string, string]>([
  ['{"id": "tea", "quantity": 2, "__proto__": {"quantity": 3}}', "#/__proto__"],
  ['{"id": "tea", "__proto__": {"quantity": 2}}', "#/__proto__"],
  ['{"id": "tea", "quantity": 2, "constructor": {"prototype": {}}}', "#/constructor"],
])("a field that could reach a prototype is a field too many, not broken JSON: %s", async ([body, pointer]) => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(body));

  expect(reply).toMatchObject({
    statusCode: 422,
    body: {
      code: "invalid_order",
      errors: expect.arrayContaining([{ pointer, detail: expect.any(String) }]),
    },
  });
  expect(functions.upstash.requests).toEqual([]);
});

test.for([
  "0",
  "-1",
  "-0",
  "1.5",
  "true",
  "false",
  "null",
  '"abc"',
  '""',
  '"1.5"',
  '"-1"',
  '"+1"',
  '" 1"',
  '"1e3"',
  '"0x10"',
  '"0"',
  "1e400",
  "-1e400",
  String(10n ** 30n),
  '"1e400"',
  `"${"9".repeat(400)}"`,
  "1000001",
  '"1000001"',
  "9007199254740993",
  '"٣"',
  '"²"',
  "[]",
  "[2]",
  "{}",
  "1e-7",
  '"2\\n"',
  '"2\\u0000"',
])("a quantity of %s: 422", async (quantity) => {
  await refused(placeOrderEvent(`{"id": "tea", "quantity": ${quantity}}`), 422, "invalid-order", ["#/quantity"]);
});

test.for<[string, unknown]>([
  ["empty", ""],
  ["129 characters", "x".repeat(129)],
  ["129 characters beyond the basic plane", "😀".repeat(129)],
  ["10,000 characters", "x".repeat(10_000)],
  ["a line feed", "tea\n"],
  ["NUL", "te\0a"],
  ["DEL", "tea\u007f"],
  ["a C1 control character", "tea\u0085"],
  ["../x", "../x"],
  ["..", ".."],
  [".", "."],
  ["a/../b", "a/../b"],
  ["..\\x", "..\\x"],
  ["a number", 7],
  ["null", null],
  ["true", true],
  ["an array", ["tea"]],
  ["an object", { toString: "tea" }],
])("an id that is or has %s: 422", async ([, id]) => {
  await refused(placeOrderEvent({ id, quantity: 2 }), 422, "invalid-order", ["#/id"]);
});

test.for(['"\\ud800"', '"tea\\udc00"', '"\\udc00\\ud800"'])("an id with a lone surrogate (%s): 422", async (id) => {
  await refused(placeOrderEvent(`{"id": ${id}, "quantity": 2}`), 422, "invalid-order", ["#/id"]);
});
