import type { Request } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Order } from "../../lib/order.ts";
import { COMPLETED_STREAM, DEAD_REFUND_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { invokeRefundPoller } from "../../tools/order-service.ts";
import { fill, order, orderButton } from "../shop/basket.ts";
import { nextRefundRequest } from "../shop/next-refund-request.ts";
import { openShop, type Shop } from "../shop/open.ts";
import { expectDocumentedEntry } from "../support/asyncapi.ts";
import { fetchDocumented } from "../support/fetch-documented.ts";

/** Installing Chromium and Python's package, and a browser's first start on a busy machine. */
const SETUP_MS = 30 * 60_000;

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order, up to 2 minutes late. */
const PATIENCE_MS = 180_000;
const TEST_MS = 3 * PATIENCE_MS;

let shop: Shop;

beforeAll(async () => {
  shop = await openShop(PATIENCE_MS);
}, SETUP_MS);

afterAll(async () => {
  await shop?.close();
});

/** What was announced of a product's orders. */
async function announcementsOf(product: string): Promise<Record<string, string>[]> {
  const entries = (await shop.redis.xRange(COMPLETED_STREAM, "-", "+")) ?? [];
  return entries.map(({ message }) => ({ ...message })).filter(({ product_id }) => product_id === product);
}

async function ordersOf(product: string): Promise<string[]> {
  const keys = (await shop.redis.keys("order:*")).sort();
  const products = await Promise.all(keys.map((key) => shop.redis.hGet(key, "product_id")));
  return keys.filter((_, index) => products[index] === product);
}

async function readStatus(pk: string): Promise<string> {
  return Order.parse(await (await fetchDocumented(`${shop.service.api}/orders/${pk}`)).json()).status;
}

const runPoller = () =>
  invokeRefundPoller(`http://127.0.0.1:${shop.service.env.ORDERS_LAMBDA_PORT}`, "orders-dev-drainRefunds");

test("the stock is lowered for an order, or the order is refunded, and the page shows how it ends", {
  timeout: TEST_MS,
}, async () => {
  // given
  await shop.redis.set("stock:tea-green", "5");
  const page = await shop.visit();
  const shown = page.locator("output");
  // when
  const first = await order(page, "tea-green", "2");
  // then
  await shown.filter({ hasText: "completed" }).waitFor();
  await expect.poll(() => shop.redis.get("stock:tea-green")).toBe("3");

  // when the next one is for more than what is left
  const request = await nextRefundRequest(shop.redis, PATIENCE_MS);
  await page.getByRole("button", { name: "New basket" }).click();
  const second = await order(page, "tea-green", "4");
  // then
  const message = await request.came;
  const announcements = await announcementsOf("tea-green");
  expect(announcements.map(({ pk, quantity }) => [pk, quantity])).toEqual([
    [first, "2"],
    [second, "4"],
  ]);
  for (const announcement of announcements) expectDocumentedEntry("OrderCompleted", announcement);
  expect(announcements[0]).toMatchObject({ price: "19.90", fee: "7.96", total: "47.76" });
  expect(message).toEqual(announcements[1]);
  expectDocumentedEntry("RefundRequest", message);

  // when
  await runPoller();
  // then
  await shown.filter({ hasText: "refunded" }).waitFor();
  expect(await readStatus(first)).toBe("completed");
  expect(await shop.redis.get("stock:tea-green")).toBe("3");
  expect(await shop.redis.xLen(REFUND_STREAM)).toBe(0);
  expect(await shop.redis.exists(DEAD_REFUND_STREAM)).toBe(0);
});

test("a button that is clicked twice makes one order", { timeout: TEST_MS }, async () => {
  // given
  await shop.redis.set("stock:honey", "10");
  const page = await shop.visit();
  const posts: Request[] = [];
  page.on("request", (request) => void (request.method() === "POST" && posts.push(request)));
  await fill(page, "honey", "3");
  // when, before any reply
  await orderButton(page).evaluate((button: { click(): void }) => {
    button.click();
    button.click();
  });
  // then
  await page.getByText("This order was placed before").waitFor();
  await page.locator("output", { hasText: "completed" }).waitFor();
  expect(posts.length).toBeGreaterThanOrEqual(2);
  expect(new Set(posts.map((request) => request.headers()["idempotency-key"])).size).toBe(1);
  for (const post of posts) expect(post.postDataJSON()).toEqual({ id: "honey", quantity: "3" });
  await expect.poll(() => shop.redis.get("stock:honey")).toBe("7");
  expect(await ordersOf("honey")).toHaveLength(1);
});

test("a refusal is shown by the detail of its problem document, and what was typed stays", async () => {
  const page = await shop.visit();

  await fill(page, "tea-green", "0");
  await orderButton(page).click();

  expect(await page.getByRole("alert").innerText()).toContain("The order is not valid");
  expect(await page.getByLabel("Product").inputValue()).toBe("tea-green");
});

test("the browser keeps a page of another origin from ordering, and from reading", async () => {
  // given
  await shop.redis.mSet({ "stock:tea-white": "1", "stock:tea-black": "1" });
  const pk = await order(await shop.visit(), "tea-white", "1");
  const page = await shop.visitStranger();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  // when
  await fill(page, "tea-black", "1");
  await orderButton(page).click();
  // then
  expect(await page.getByRole("alert").innerText()).toBe("The order service did not answer this page");
  await expect.poll(() => complaints.join()).toContain("blocked by CORS policy: Response to preflight request");
  expect(await ordersOf("tea-black")).toEqual([]);

  // when it asks what needs no preflight
  const read = await page.evaluate(
    (url) => fetch(url).catch((error) => error.name),
    `${shop.service.api}/orders/${pk}`,
  );
  // then
  expect(read).toBe("TypeError");
  await expect.poll(() => complaints.join()).toContain("blocked by CORS policy: No 'Access-Control-Allow-Origin'");
});
