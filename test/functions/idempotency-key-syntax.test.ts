import { expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const functions = useFunctions(useRedis());
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };
const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

const place = (body: unknown, key: string) =>
  functions.invokeHttp("createOrder", placeOrderEvent(body, { "idempotency-key": key }));

test.for<[string, string]>([
  ["16 characters", "k".repeat(16)],
  ["255 characters", "k".repeat(255)],
  ["16 characters in quotes", `"${"k".repeat(16)}"`],
  ["quoted spaces and commas", '"key, with a space and a comma"'],
  ["quoted escapes", '"key-\\"with\\\\escapes\\""'],
  ["quotes and a parameter", `"${KEY}";a=1`],
])("a key of %s is accepted", async ([, key]) => {
  expect(await place(TEA, key)).toMatchObject({ statusCode: 200 });
  expect(await place(TEA, key)).toMatchObject({ statusCode: 200, headers: { "idempotent-replayed": "true" } });
});

test.for<[string, string]>([
  ["empty", ""],
  ["15 characters", "k".repeat(15)],
  ["256 characters", "k".repeat(256)],
  ["empty quotes", '""'],
  ["15 characters in quotes", `"${"k".repeat(15)}"`],
  ["256 characters in quotes", `"${"k".repeat(256)}"`],
  ["two headers joined by a comma", `${KEY},${KEY}`],
  ["a space", "key with some spaces in it"],
  ["an open quote", `"${KEY}`],
  ["a quote inside", `${KEY}"`],
  ["an unknown escape", `"${KEY}\\n"`],
  ["a control character", `${KEY}\u0007`],
  ["characters beyond ASCII", "schlüssel-schlüssel"],
])("a key that is or has %s is refused with 400, and Redis is not asked", async ([, key]) => {
  const reply = await place(TEA, key);

  expectProblem(reply, 400, "invalid-idempotency-key");
  expectRefusalLogged(log, "invalid_idempotency_key", 400, "POST /orders");
  expect(functions.upstash.requests).toEqual([]);
  expect(functions.scheduler.requests).toEqual([]);
});
