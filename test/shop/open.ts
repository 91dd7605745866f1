import type { Page } from "playwright-core";
import { createClient } from "redis";
import { onTestFinished } from "vitest";
import { type Offline, startOffline } from "../support/offline.ts";
import { launchChromium } from "../support/programs.ts";
import { freePorts, listen } from "../support/servers.ts";
import { watchReplies } from "./documented.ts";
import { startInventory } from "./inventory.ts";
import { shopServer } from "./serve.ts";

export interface Shop {
  readonly service: Offline;
  /** On plain TCP, as the inventory. */
  readonly redis: ReturnType<typeof connection>;
  /** Opens the page, for as long as the test runs. */
  visit(): Promise<Page>;
  /** The same page on another port, whose origin the service was not told. */
  visitStranger(): Promise<Page>;
  close(): Promise<void>;
}

/**
 * Opens everything: the service, with the page's origin and the inventory configured, that inventory on the service's Redis,
 * and a browser.
 * @param timeoutMs for whatever a page waits for
 * @throws Error when a part does not start; those that did are closed
 */
export async function openShop(timeoutMs: number): Promise<Shop> {
  await using parts = new AsyncDisposableStack();
  const { ORDERS_API_PORT, INVENTORY_PORT } = await freePorts("ORDERS_API_PORT", "INVENTORY_PORT");

  async function servePage(): Promise<string> {
    const server = await shopServer(`http://localhost:${ORDERS_API_PORT}`);
    const url = await listen(server);
    parts.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return url;
  }

  async function visit(url: string): Promise<Page> {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    page.setDefaultTimeout(timeoutMs);
    await page.goto(url);
    return page;
  }

  async function visitShop(): Promise<Page> {
    const page = await visit(url);
    // Before the page closes: what is done last is undone first.
    onTestFinished(watchReplies(page, service.api));
    return page;
  }

  const url = await servePage();
  const strangeUrl = await servePage();
  const service = await startOffline(
    { ORDERS_API_PORT, INVENTORY_URL: `http://127.0.0.1:${INVENTORY_PORT}` },
    "--param",
    `corsOrigins=https://shop.example.com, ${url}`,
  );
  parts.defer(async () => void (await service.stop()));
  const redisUrl = `redis://127.0.0.1:${service.env.ORDERS_REDIS_PORT}`;
  const redis = connection(redisUrl);
  await redis.connect();
  parts.defer(() => redis.destroy());
  const inventory = await startInventory(redisUrl, Number(INVENTORY_PORT));
  parts.defer(() => inventory.stop());
  const browser = await launchChromium();
  parts.defer(() => browser.close());
  const open = parts.move();
  return {
    service,
    redis,
    visit: visitShop,
    // The browser keeps the service's replies from it.
    visitStranger: () => visit(strangeUrl),
    close: () => open.disposeAsync(),
  };
}

function connection(url: string) {
  return createClient({ url });
}
