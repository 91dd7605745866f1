import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page, Response } from "playwright-core";
import { createClient } from "redis";
import { inject, onTestFinished } from "vitest";
import { z } from "zod";
import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import { expectDocumented, routeOf } from "../support/contract.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { freePorts, listen } from "../support/servers.ts";
import { shopServer } from "./main.ts";

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
export async function openShop(browser: { readonly current: Browser }, timeoutMs: number): Promise<Shop> {
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
    const page = await browser.current.newPage();
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
  const service = await startOffline({ ORDERS_API_PORT, INVENTORY_URL: `http://127.0.0.1:${INVENTORY_PORT}` }, [
    "--param",
    `corsOrigins=https://shop.example.com, ${url}`,
  ]);
  parts.defer(async () => void (await service.stop()));
  const redisUrl = `redis://127.0.0.1:${service.env.ORDERS_REDIS_PORT}`;
  const redis = connection(redisUrl);
  await redis.connect();
  parts.defer(() => redis.destroy());
  parts.defer(await startInventory(redisUrl, INVENTORY_PORT ?? ""));
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

const PROGRAM = join(import.meta.dirname, "inventory.py");

/**
 * Resolves when it serves products.
 * @returns kills it, as a machine does that loses its power, and throws what it wrote when it had ended by itself
 * @throws Error with what it wrote, when it ends before that
 */
async function startInventory(redisUrl: string, port: string): Promise<() => Promise<void>> {
  const env = { ...process.env, REDIS_URL: redisUrl, INVENTORY_PORT: port };
  const child = spawn(inject("python") ?? "", [PROGRAM], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const exited = once(child, "close");
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), exited.then(() => [undefined])]);
  if (line === undefined) throw new Error(`The inventory did not start:\n${output}`);
  return async () => {
    const running = child.kill("SIGKILL");
    await exited;
    if (!running) throw new Error(`The inventory ended by itself:\n${output}`);
  };
}

/**
 * Holds every reply of the service that a page gets from now on against openapi.yaml.
 * @param api the service's address
 * @returns a function that ends this, once all replies so far have been read
 * @throws Error, the returned function, when openapi.yaml does not promise one of the replies
 */
function watchReplies(page: Page, api: string): () => Promise<void> {
  const checked: Promise<unknown>[] = [];

  function watch(response: Response): void {
    if (!response.url().startsWith(`${api}/`)) return;
    // Kept until it is asked for: a rejection that nobody awaits would end the tests.
    checked.push(check(response).catch((error: unknown) => error));
  }

  page.on("response", watch);
  return async () => {
    page.off("response", watch);
    const faults = (await Promise.all(checked)).filter((fault) => fault !== undefined);
    if (faults.length > 0) throw new AggregateError(faults, faults.map(String).join("\n"));
  };
}

async function check(response: Response): Promise<void> {
  const route = routeOf(response.request().method(), new URL(response.url()).pathname);
  const body: unknown = await response.json();
  expectDocumented(route, { statusCode: response.status(), headers: response.headers(), body });
}

/** Types into the shop's page. */
export async function fill(page: Page, product: string, quantity: string): Promise<void> {
  await page.getByLabel("Product").fill(product);
  await page.getByLabel("Quantity").fill(quantity);
}

export const orderButton = (page: Page) => page.getByRole("button", { name: "Order" });

/** Orders, and gives the pk that the page then shows. */
export async function order(page: Page, product: string, quantity: string): Promise<string> {
  await fill(page, product, quantity);
  await orderButton(page).click();
  return page.locator("code").innerText();
}

/** What a read of a stream gives that waited for one entry. */
const Requested = z.tuple([z.object({ messages: z.tuple([z.object({ message: z.record(z.string(), z.string()) })]) })]);

/**
 * The next refund request, in the moment in which it comes: the poller takes it away.
 * @param timeoutMs for it to come
 */
export async function nextRefundRequest(
  redis: Shop["redis"],
  timeoutMs: number,
): Promise<{ readonly came: Promise<unknown> }> {
  const reader = redis.duplicate();
  await reader.connect();
  onTestFinished(() => reader.destroy());
  const reading = reader.xRead({ key: REFUND_STREAM, id: "$" }, { BLOCK: timeoutMs });
  return { came: reading.then((streams) => Requested.parse(streams)[0].messages[0].message) };
}
