import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Page, Response } from "playwright-core";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Order } from "../../lib/orders/order.ts";
import { expectDocumented, routeOf } from "../support/contract.ts";
import { placeOrderEvent } from "../support/functions.ts";
import { answering, text } from "../support/servers.ts";
import { NO_CHROMIUM, sharedService, urlOf, useBrowser } from "./service.ts";

/** A name of no loopback interface, behind which the browser finds the service: to it this is any public host. */
const PUBLIC_HOST = "orders.example";

/** A name that leads to this machine, as one of an attacker's does after DNS rebinding. */
const REBOUND_HOST = "evil.example";

const service = sharedService();
const browser = useBrowser(
  `--host-resolver-rules=MAP ${PUBLIC_HOST} 127.0.0.1, MAP ${REBOUND_HOST} 127.0.0.1, MAP localhost:3000 127.0.0.1:${service.env.ORDERS_API_PORT}`,
);

describe.skipIf(NO_CHROMIUM)("the docs page", () => {
  /** Set to docs/docs-page.png, it has the picture of an executed request written there. */
  const SCREENSHOT = process.env.ORDERS_TEST_SCREENSHOT;

  const PATIENCE_MS = 60_000;

  const MARGIN_PX = 12;

  const BASE_PATH = "/shop/v1";

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
    const page = await browser.current.newPage({ viewport: { width: 1280, height: 1130 } });
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

  /** Serves the API below a path, as a stage or a custom domain's base path does; the host is the service's own, as proxies send it. */
  function belowBasePath(incoming: IncomingMessage, outgoing: ServerResponse) {
    const { method = "GET", url = "" } = incoming;
    const options = { method, headers: { ...incoming.headers, host: new URL(service.api).host } };
    const behind = request(`${service.api}${url.slice(BASE_PATH.length)}`, options, (reply) => {
      reply.pipe(outgoing.writeHead(reply.statusCode ?? 502, reply.headers));
    });
    incoming.pipe(behind);
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

  /** From the operation's first line to the reply. */
  async function takeScreenshot(page: Page, path: string): Promise<void> {
    await page.keyboard.press("Home");
    await page.waitForTimeout(500); // Swagger UI scrolls smoothly.
    const top = await operation(page, "createOrder").boundingBox();
    const reply = await operation(page, "createOrder").locator(".live-responses-table").boundingBox();
    if (!top || !reply) throw new Error("The page shows no reply");
    const height = reply.y + reply.height - top.y + MARGIN_PX;
    await page.screenshot({
      path,
      fullPage: true,
      clip: { x: 0, y: top.y - MARGIN_PX, width: 1280, height: height + MARGIN_PX },
    });
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
    for (const name of ["openapi.yaml", "asyncapi.yaml"]) {
      const href = await page.locator(`.info a[href$="${name}"]`).first().getAttribute("href");
      expect(new URL(href ?? "", page.url()).href).toBe(`${service.api}/${name}`);
    }
    expectAtHome(visited, new URL(service.api).host);
  });

  test("“Try it out” places an order and reads it back", async () => {
    const visited = await visit(`${SCREENSHOT ? "http://localhost:3000" : service.api}/docs`);

    const placed = await tryOut(visited.page, "createOrder", { "Idempotency-Key": `try-${Date.now()}-${process.pid}` });
    if (SCREENSHOT) await takeScreenshot(visited.page, SCREENSHOT);
    const read = await tryOut(visited.page, "getOrder", { pk: placed.order.pk });

    expect(placed.status).toContain("200");
    expect(placed.text).toContain(placed.order.pk);
    expect(placed.order).toMatchObject({ product_id: "tea-green", quantity: 2 });
    expect(read.status).toContain("200");
    expect(read.order).toMatchObject({ pk: placed.order.pk });
    expectAtHome(visited, new URL(visited.page.url()).host);
  });

  test("the page works below a base path of a public host, too", async () => {
    // given
    const url = new URL(BASE_PATH, await answering(belowBasePath));
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
});

describe.skipIf(NO_CHROMIUM)("a page of another origin", () => {
  const redis = createClient({ url: urlOf(service, "REDIS") });

  beforeAll(async () => {
    await redis.connect();
  });
  afterAll(() => redis.destroy());

  const gatewayUrl = urlOf(service, "UPSTASH");
  const lambdaUrl = urlOf(service, "LAMBDA");

  /** A page of `host`, which a server of another port gives. */
  async function openPage(host: string): Promise<Page> {
    const url = new URL(await answering(text(200, "<!doctype html>")));
    url.hostname = host;
    const page = await browser.current.newPage();
    onTestFinished(() => page.close());
    await page.goto(url.href);
    return page;
  }

  /** Sends what needs no leave of the server: a request with a body of plain text. Settles when it was answered. */
  function postText(page: Page, url: string, body: string): Promise<void> {
    return page.evaluate(async (request) => void (await fetch(request.url, request)), {
      url,
      body,
      method: "POST",
      mode: "no-cors" as const,
    });
  }

  test.for(["localhost", REBOUND_HOST])(
    "a page of another port of %s writes nothing and invokes nothing",
    async (host) => {
      const page = await openPage(host);

      await page.setContent(`<img src="${gatewayUrl}/set/image/1?_token=local">`);
      await postText(page, `${gatewayUrl}/?_token=local`, '["SET", "text", "1"]');
      await postText(
        page,
        `${lambdaUrl}/2015-03-31/functions/orders-dev-createOrder/invocations`,
        JSON.stringify(placeOrderEvent({ id: "ordered-by-a-foreign-page", quantity: 2 })),
      );

      expect(await redis.exists(["image", "text"])).toBe(0);
      // Other tests place orders meanwhile.
      const products = (await redis.keys("order:*")).map((key) => redis.hGet(key, "product_id"));
      expect(await Promise.all(products)).not.toContain("ordered-by-a-foreign-page");
    },
  );

  test("a page under a name that was pointed here reads nothing from any port", async () => {
    await redis.set("secret", "value");
    const paths = [
      `${service.env.ORDERS_API_PORT}/openapi.yaml`,
      `${service.env.ORDERS_UPSTASH_PORT}/get/secret?_token=local`,
      `${service.env.ORDERS_SCHEDULER_PORT}/_local/dead-letters`,
      `${service.env.ORDERS_LAMBDA_PORT}/2015-03-31/functions/orders-dev-getOrder/invocations`,
    ];
    const page = await browser.current.newPage();
    onTestFinished(() => page.close());

    for (const path of paths) {
      const reply = await page.goto(`http://${REBOUND_HOST}:${path}`);
      expect(await reply?.text()).toContain("The Host header is not loopback");
      expect(reply?.status()).toBe(403);
    }
  });

  test("what a person types in the address bar is served", async () => {
    await redis.set("mine", "value");
    const page = await browser.current.newPage();
    onTestFinished(() => page.close());

    const reply = await page.goto(`${gatewayUrl}/get/mine?_token=local`);

    expect(await reply?.json()).toEqual({ result: "value" });
  });
});
