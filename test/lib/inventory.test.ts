import { beforeAll, expect, test } from "vitest";
import { createInventory } from "../../lib/integrations/inventory.ts";
import { OrderRequest } from "../../lib/orders/order-request.ts";
import { logger } from "../../lib/telemetry.ts";
import { productIn, useInventory } from "../support/inventory.ts";
import { priceAt } from "../support/questions.ts";

const shop = useInventory();

beforeAll(() => logger.setLogLevel("SILENT"));

const priceOf = (id: string, url = shop.url) => priceAt(url, id);

test("there is no inventory without a URL", () => {
  expect(createInventory({})).toBeUndefined();
  expect(createInventory({ INVENTORY_URL: "" })).toBeUndefined();
});

test.for([0, 0.01, 19.9, 10_000_000])("the price of one piece is told: %d", async (price) => {
  shop.sellAt(price);

  expect(await priceOf("tea")).toBe(price);
});

test.for([
  ["the shop's own product", '{"pk": "01M8A4K1Z7Q2W3E4R5T6Y7U8I9", "name": "tea", "price": 19.9, "quantity": 12}'],
  [
    "a product of the shop's list",
    '{"id": "01M8A4K1Z7Q2W3E4R5T6Y7U8I9", "name": "tea", "price": 19.9, "quantity": 12}',
  ],
  [
    "a product with both names",
    '{"id": "01M8A4K1Z7Q2W3E4R5T6Y7U8I9", "pk": "01M8A4K1Z7Q2W3E4R5T6Y7U8I9", "price": 19.9}',
  ],
  ["a price alone", '{"price": 19.9}'],
  ["names that are null", '{"id": null, "pk": null, "price": 19.9}'],
] as const)("the price is read from %s", async ([, reply]) => {
  shop.answerWith((_, response) => response.end(reply));

  expect(await priceOf("01M8A4K1Z7Q2W3E4R5T6Y7U8I9")).toBe(19.9);
});

test("an id that is a number names the product of these digits", async () => {
  shop.answerWith((_, response) => response.end('{"id": 17, "price": 19.9}'));

  expect(await priceOf("17")).toBe(19.9);
});

test("a byte order mark before the reply is no part of it", async () => {
  shop.answerWith((_, response) => response.end('\uFEFF{"pk":"tea","price":19.9}'));

  expect(await priceOf("tea")).toBe(19.9);
});

test.for(["", "/", "//", "/shop", "/shop/v1/"])("a URL that ends in %o gets /products/{id} appended", async (end) => {
  await priceOf("tea", shop.url + end);

  expect(shop.questions).toEqual([`${end.replace(/\/+$/, "")}/products/tea`]);
});

test.for([
  "tea",
  "a/b",
  "/",
  "a\\b",
  "?x=1",
  "tea?x=1&y",
  "#",
  "tea#part",
  "%2e%2e",
  "%2e%2e%2fadmin",
  "%",
  "...",
  ".hidden",
  "a b+c",
  "@host:80",
  "//host",
  "caf\u00e9 \u2615 \u{1f600}",
  "\u2028",
  "\ufeffbom",
  "😀".repeat(128),
])("the id %o is one segment of the path that decodes to it", async (id) => {
  expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(true);

  await priceOf(id);

  const [question = ""] = shop.questions;
  expect(shop.questions).toHaveLength(1);
  expect(question).toMatch(/^\/products\/[^/?#\\]+$/);
  expect(productIn(question)).toBe(id);
});

test.for([".", "..", "../admin", "a/../../admin", "..\\admin", "a/."])("%o is no product's id", (id) => {
  expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(false);
});
