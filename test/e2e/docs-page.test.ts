import type { Browser, Page, Response } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Order } from "../../lib/orders/order.ts";
import { startBasePath } from "../support/base-path.ts";
import { expectDocumented, routeOf } from "../support/contract.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { launchChromium } from "../support/programs.ts";

/** Set to a file's name, such as docs/docs-page.png, it has the page's picture written there. */
const SCREENSHOT = process.env.ORDERS_TEST_SCREENSHOT;

/** Installing Chromium, and a browser's first start on a busy machine. */
const SETUP_MS = 15 * 60_000;
const PATIENCE_MS = 60_000;

/** A name of no loopback interface, behind which the browser finds the service: to it this is any public host. */
const PUBLIC_HOST = "orders.example";

const BASE_PATH = "/shop/v1";

let service: Offline;
let browser: Browser;

beforeAll(async () => {
  service = await startOffline();
  browser = await launchChromium([`--host-resolver-rules=MAP ${PUBLIC_HOST} 127.0.0.1`]);
}, SETUP_MS);

afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

interface Visit {
  readonly page: Page;
  /** The URL of everything that was asked for, but data in the page itself. */
  readonly requested: readonly string[];
  /** The headers of what the page is made of. */
  readonly assets: readonly Record<string, string>[];
  /** Errors and warnings on the console, and errors that nobody caught. */
  readonly complaints: readonly string[];
}

async function visit(url: string): Promise<Visit> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1130 } });
  onTestFinished(() => page.close());
  page.setDefaultTimeout(PATIENCE_MS);
  const requested: string[] = [];
  const assets: Record<string, string>[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) requested.push(request.url());
  });
  page.on("response", (response) => {
    if (/\/docs\/[^/]+$/.test(response.url())) assets.push(response.headers());
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, requested, assets, complaints };
}

/** Expects what every visit must be: quiet, and with one host only. */
function expectAtHome({ requested, complaints }: Visit, host: string): void {
  expect(complaints).toEqual([]);
  expect(new Set(requested.map((url) => new URL(url).host))).toEqual(new Set([host]));
}

const operation = (page: Page, id: string) => page.locator(`#operations-Orders-${id}`);

/** Opens an operation, fills what it is told to, executes it, and gives the reply that the page shows. */
async function tryOut(page: Page, id: string, parameters: Record<string, string> = {}) {
  const block = operation(page, id);
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Try it out" }).click();
  for (const [name, value] of Object.entries(parameters)) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  }
  const replied = page.waitForResponse((response) => routeOfReply(response) !== "$default");
  await block.getByRole("button", { name: "Execute" }).click();
  const response = await replied;
  const body: unknown = await response.json();
  expectDocumented(routeOfReply(response), { statusCode: response.status(), headers: response.headers(), body });
  const live = block.locator(".live-responses-table .response");
  return {
    status: await live.locator(".response-col_status").innerText(),
    text: await live.innerText(),
    order: Order.parse(body),
  };
}

const routeOfReply = (response: Response) =>
  routeOf(response.request().method(), new URL(response.url()).pathname.replace(BASE_PATH, ""));

test("the root leads to a page that shows both operations, without a complaint, from this host alone", async () => {
  const visited = await visit(`${service.api}/`);
  const { page, assets } = visited;

  await operation(page, "createOrder").waitFor();
  await operation(page, "getOrder").waitFor();

  expect(page.url()).toBe(`${service.api}/docs`);
  expect(await page.locator(".opblock").count()).toBe(2);
  expect(await page.locator(".info .title").innerText()).toContain("Order service");
  expect(assets).toHaveLength(3);
  for (const asset of assets) {
    expect(asset).toMatchObject({ "content-encoding": "br", "cache-control": "public, max-age=31536000, immutable" });
  }
  if (SCREENSHOT) await page.screenshot({ path: SCREENSHOT });
  expectAtHome(visited, new URL(service.api).host);
});

test("“Try it out” places an order and reads it back", async () => {
  const visited = await visit(`${service.api}/docs`);

  const placed = await tryOut(visited.page, "createOrder", { "Idempotency-Key": `try-${crypto.randomUUID()}` });
  const read = await tryOut(visited.page, "getOrder", { pk: placed.order.pk });

  expect(placed.status).toContain("200");
  expect(placed.text).toContain(placed.order.pk);
  expect(placed.order).toMatchObject({ product_id: "tea-green", quantity: 2 });
  expect(read.status).toContain("200");
  expect(read.order).toMatchObject({ pk: placed.order.pk });
  expectAtHome(visited, new URL(service.api).host);
});

test("the page works below a base path of a public host, too", async () => {
  // given
  const below = await startBasePath(service.api, BASE_PATH);
  onTestFinished(() => below.stop());
  const url = new URL(below.url);
  url.hostname = PUBLIC_HOST;
  // when
  const visited = await visit(`${url.href}/`);
  const { status, order } = await tryOut(visited.page, "createOrder");
  // then
  expect(visited.page.url()).toBe(`${url.href}/docs`);
  expect(status).toContain("200");
  expect(visited.requested).toContain(`${url.href}/orders`);
  expect(order).toMatchObject({ status: "pending" });
  expectAtHome(visited, url.host);
});
