import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { join } from "node:path";
import { createClient } from "@redis/client";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { shopServer } from "../../examples/shop/main.ts";
import { COMPLETED_STREAM, DEAD_LETTER_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { listen } from "../../local/ports.ts";
import { invokeFunction, readSettings } from "../../local/settings.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { freePorts } from "../support/servers.ts";
import { NO_CHROMIUM, NO_PYTHON, urlOf, useBrowser } from "./service.ts";

const INVENTORY = join(import.meta.dirname, "../../examples/shop/inventory.py");

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order, up to 2 minutes late. */
const PATIENCE_MS = 180_000;

const browser = useBrowser();

describe.skipIf(NO_CHROMIUM || NO_PYTHON)("the example shop", { timeout: 3 * PATIENCE_MS }, () => {
  let service: Offline;
  let pages: Server;
  let inventory: ChildProcess;
  let redis: ReturnType<typeof connection>;
  /** Where the service lets the page order. */
  let url: string;

  beforeAll(async () => {
    const { ORDERS_API_PORT, INVENTORY_PORT } = await freePorts("ORDERS_API_PORT", "INVENTORY_PORT");
    pages = await shopServer(`http://localhost:${ORDERS_API_PORT}`);
    url = await listen(pages);
    service = await startOffline({ ORDERS_API_PORT, INVENTORY_URL: `http://127.0.0.1:${INVENTORY_PORT}` }, [
      "--param",
      `corsOrigins=https://shop.example.com, ${url}`,
    ]);
    const env = { ...process.env, REDIS_URL: urlOf(service, "REDIS"), INVENTORY_PORT };
    inventory = spawn(inject("python") ?? "", [INVENTORY], { env, stdio: ["ignore", "pipe", "inherit"] });
    if (inventory.stdout) await once(inventory.stdout, "data");
    redis = await connection(env.REDIS_URL).connect();
  }, PATIENCE_MS);

  afterAll(async () => {
    redis?.destroy();
    inventory?.kill("SIGKILL");
    await service?.stop();
    pages?.close();
  });

  const connection = (address: string) => createClient({ url: address });

  async function visit(address = url): Promise<Page> {
    const page = await browser.current.newPage();
    onTestFinished(() => page.close());
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(address);
    return page;
  }

  const orderButton = (page: Page) => page.getByRole("button", { name: "Order" });

  async function fill(page: Page, product: string, quantity: string): Promise<void> {
    await page.getByLabel("Product").fill(product);
    await page.getByLabel("Quantity").fill(quantity);
  }

  /** Orders, and gives the pk that the page then shows. */
  async function order(page: Page, product: string, quantity: string): Promise<string> {
    await fill(page, product, quantity);
    await orderButton(page).click();
    return page.locator("code").innerText();
  }

  async function ordersOf(product: string): Promise<number> {
    const products = (await redis.keys("order:*")).map((key) => redis.hGet(key, "product_id"));
    return (await Promise.all(products)).filter((found) => found === product).length;
  }

  test("the stock is lowered for an order, or the order is refunded, and the page shows how it ends", async () => {
    // given
    await redis.set("stock:tea-green", "5");
    const page = await visit();
    const shown = page.locator("output");
    const placed = page.waitForResponse((response) => response.request().method() === "POST");
    const repliedAt = placed.then(() => performance.now());
    const readAt = page
      .waitForRequest((request) => request.method() === "GET" && request.url().includes("/orders/"))
      .then(() => performance.now());
    // when
    const first = await order(page, "tea-green", "2");
    // then it waits as long as the reply says
    const retryAfter = Number((await placed).headers()["retry-after"]);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect((await readAt) - (await repliedAt)).toBeGreaterThan((retryAfter - 0.5) * 1_000);
    await shown.filter({ hasText: "completed" }).waitFor();
    await expect.poll(() => redis.get("stock:tea-green")).toBe("3");

    // when the next one is for more than what is left
    await page.getByRole("button", { name: "New basket" }).click();
    const second = await order(page, "tea-green", "4");
    // then, without the wait for the poller's next minute
    await expect
      .poll(
        async () => {
          await invokeFunction(readSettings(service.env), "orders-dev-drainRefunds");
          return shown.innerText();
        },
        { timeout: PATIENCE_MS, interval: 1_000 },
      )
      .toBe("refunded");
    expect((await redis.xRange(COMPLETED_STREAM, "-", "+"))?.map(({ message }) => message)).toMatchObject([
      { pk: first, quantity: "2", price: "19.90", fee: "7.96", total: "47.76" },
      { pk: second, quantity: "4" },
    ]);
    expect(await redis.hGet(`order:${first}`, "status")).toBe("completed");
    expect(await redis.get("stock:tea-green")).toBe("3");
    expect(await redis.xLen(REFUND_STREAM)).toBe(0);
    expect(await redis.exists(DEAD_LETTER_STREAM)).toBe(0);
  });

  test("a refusal is shown, what was typed stays, and a button that is clicked twice makes one order", async () => {
    // given
    await redis.set("stock:honey", "10");
    const page = await visit();
    await fill(page, "honey", "0");
    await orderButton(page).click();
    expect(await page.getByRole("alert").innerText()).toContain("The order is not valid");
    expect(await page.getByLabel("Product").inputValue()).toBe("honey");
    // when, before any reply
    await page.getByLabel("Quantity").fill("3");
    await orderButton(page).evaluate((button: { click(): void }) => {
      button.click();
      button.click();
    });
    // then
    await page.getByText("This order was placed before").waitFor();
    await page.locator("output", { hasText: "completed" }).waitFor();
    await expect.poll(() => redis.get("stock:honey")).toBe("7");
    expect(await ordersOf("honey")).toBe(1);
  });

  test("the browser keeps a page of another origin from ordering, and from reading", async () => {
    // given
    await redis.set("stock:tea-black", "1");
    const page = await visit(url.replace("127.0.0.1", "localhost"));
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    // when
    await fill(page, "tea-black", "1");
    await orderButton(page).click();
    // then
    expect(await page.getByRole("alert").innerText()).toBe("The order service did not answer this page");
    await expect.poll(() => complaints.join()).toContain("blocked by CORS policy: Response to preflight request");
    expect(await ordersOf("tea-black")).toBe(0);

    // when it asks what needs no preflight
    const read = page.evaluate((address) => fetch(address), `${service.api}/orders/none`);
    // then
    await expect(read).rejects.toThrow("Failed to fetch");
    await expect.poll(() => complaints.join()).toContain("blocked by CORS policy: No 'Access-Control-Allow-Origin'");
  });
});
