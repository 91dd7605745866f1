import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { Order } from "../../lib/orders/order.ts";
import { placeOrderEvent, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { blocksOf } from "../support/markdown.ts";
import { useRedis } from "../support/redis.ts";

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");

const inventory = useInventory();
const functions = useFunctions(useRedis(), inventory);

test("the priced order of the README is the one that the inventory's answer there makes", async () => {
  // given
  const [, product = ""] = /`(\{"pk": "tea-green", "name"[^`]+\})`/.exec(README) ?? [];
  const shown = Order.parse(JSON.parse(blocksOf(README, "json").find((text) => text.includes('"price"')) ?? ""));
  inventory.answerWith((_question, response) => response.setHeader("content-type", "application/json").end(product));
  // when
  const order = { id: shown.product_id, quantity: shown.quantity };
  const { body } = await functions.invokeHttp("createOrder", placeOrderEvent(order));
  // then
  expect(Object.keys(Order.parse(body))).toEqual(Object.keys(shown));
  expect(body).toEqual({ ...shown, pk: expect.any(String), created_at: expect.any(String) });
});
