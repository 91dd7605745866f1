import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { createClient } from "@redis/client";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { Order } from "../../lib/orders/order.ts";
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

  const BASE_PATH = "/shop/v1";

  async function visit(url: string, colorScheme: "light" | "dark" = "light") {
    const page = await browser.current.newPage({ viewport: { width: 1280, height: 1950 }, colorScheme });
    onTestFinished(() => page.close());
    page.setDefaultTimeout(60_000);
    /** The hosts of everything that was asked for, but data in the page itself. */
    const hosts = new Set<string>();
    /** Errors and warnings on the console, and errors that were not caught. */
    const complaints: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith("data:")) hosts.add(new URL(request.url()).host);
    });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, hosts, complaints };
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

  /** Opens an operation, fills the given fields, executes it at `url`, and returns the order that the page shows. */
  async function tryOut(page: Page, id: string, url: string, parameters: Record<string, string> = {}): Promise<Order> {
    const block = operation(page, id);
    await block.locator(".opblock-summary-control").click();
    await block.getByRole("button", { name: "Try it out" }).click();
    for (const [name, value] of Object.entries(parameters)) {
      await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
    }
    const replied = page.waitForResponse(url);
    await block.getByRole("button", { name: "Execute" }).click();
    const order = Order.parse(await (await replied).json());
    await block
      .locator(".live-responses-table .response")
      .filter({ hasText: /^200/ })
      .getByText(order.pk)
      .first()
      .waitFor();
    return order;
  }

  async function takeScreenshot(page: Page, path: string): Promise<void> {
    await operation(page, "createOrder").evaluate((block: { scrollIntoView(): void }) => block.scrollIntoView());
    await page.waitForTimeout(500); // Swagger UI scrolls smoothly.
    await page.screenshot({ path });
  }

  test("“Try it out” places an order and reads it back, without a complaint, from this host alone", async () => {
    const api = SCREENSHOT ? "http://localhost:3000" : service.api;
    const { page, hosts, complaints } = await visit(`${api}/`);

    expect(page.url()).toBe(`${api}/docs`);
    const placed = await tryOut(page, "createOrder", `${api}/orders`);
    if (SCREENSHOT) await takeScreenshot(page, SCREENSHOT);
    const read = await tryOut(page, "getOrder", `${api}/orders/${placed.pk}`, { pk: placed.pk });

    expect(placed).toMatchObject({ product_id: "tea-green", quantity: 2 });
    expect(read).toMatchObject({ pk: placed.pk });
    expect(await page.locator(".opblock").count()).toBe(2);
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(api).host]);
  });

  test("each execution sends a fresh key, so that a changed body is another order", async () => {
    const { page } = await visit(`${service.api}/docs`);
    const block = operation(page, "createOrder");
    const first = await tryOut(page, "createOrder", `${service.api}/orders`);

    await block.locator(".body-param__text").fill('{"id": "tea-black", "quantity": 1}');
    const [sent, replied] = await Promise.all([
      page.waitForRequest(`${service.api}/orders`),
      page.waitForResponse(`${service.api}/orders`),
      block.getByRole("button", { name: "Execute" }).click(),
    ]);

    expect(await replied.json()).toMatchObject({ product_id: "tea-black", pk: expect.not.stringContaining(first.pk) });
    const key = (await sent.allHeaders())["idempotency-key"];
    expect(key).toMatch(/^[0-9a-f]{32}$/);
    await expect.poll(() => block.locator('tr[data-param-name="Idempotency-Key"] input').inputValue()).not.toBe(key);
  });

  test("follows the dark theme, asks for no token where none is needed, and replies with errors open on demand", async () => {
    const { page, complaints } = await visit(`${service.api}/docs`, "dark");
    const block = operation(page, "createOrder");
    await block.locator(".opblock-summary-control").click();

    expect(await page.locator("html.dark-mode").count()).toBe(1);
    expect(await page.getByRole("button", { name: /authoriz/i }).count()).toBe(0);
    expect(await block.locator(".responses-inner .model-example").count()).toBe(1);
    await block.getByRole("button", { name: "Show 422" }).click();
    await block.getByText("must be at least 1").first().waitFor();
    expect(complaints).toEqual([]);
  });

  test("the page works below a base path of a public host, too", async () => {
    // given
    const url = new URL(BASE_PATH, await answering(belowBasePath));
    url.hostname = PUBLIC_HOST;
    // when
    const { page, hosts, complaints } = await visit(`${url.href}/`);
    const order = await tryOut(page, "createOrder", `${url.href}/orders`);
    // then
    expect(page.url()).toBe(`${url.href}/docs`);
    expect(order).toMatchObject({ status: "pending" });
    for (const name of ["openapi.yaml", "asyncapi.yaml"]) {
      const href = await page.locator(`.info a[href$="${name}"]`).first().getAttribute("href");
      expect(new URL(href ?? "", page.url()).href).toBe(`${url.href}/${name}`);
    }
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([url.host]);
  });
});

describe("a page of another origin", () => {
  test.skipIf(NO_CHROMIUM).for(["localhost", REBOUND_HOST])(
    "on another port of %s writes nothing and invokes nothing",
    async (host) => {
      const url = new URL(await answering(text(200, "<!doctype html>")));
      url.hostname = host;
      const page = await browser.current.newPage();
      onTestFinished(() => page.close());
      await page.goto(url.href);
      const redis = await createClient({ url: urlOf(service, "REDIS") }).connect();
      onTestFinished(() => redis.destroy());

      /** What needs no leave of the server. Settles when it was answered. */
      const postText = (address: string, body: string) =>
        page.evaluate(
          async (request) => void (await fetch(request.url, { ...request, method: "POST", mode: "no-cors" })),
          {
            url: address,
            body,
          },
        );
      await page.setContent(`<img src="${urlOf(service, "UPSTASH")}/set/image/1?_token=local">`);
      await postText(`${urlOf(service, "UPSTASH")}/?_token=local`, '["SET", "text", "1"]');
      await postText(
        `${urlOf(service, "LAMBDA")}/2015-03-31/functions/orders-dev-createOrder/invocations`,
        JSON.stringify(placeOrderEvent({ id: "ordered-by-a-foreign-page", quantity: 2 })),
      );

      expect(await redis.exists(["image", "text"])).toBe(0);
      // Other tests place orders meanwhile.
      const products = (await redis.keys("order:*")).map((key) => redis.hGet(key, "product_id"));
      expect(await Promise.all(products)).not.toContain("ordered-by-a-foreign-page");
    },
  );

  test.skipIf(NO_CHROMIUM).for([
    ["API", "openapi.yaml"],
    ["UPSTASH", "get/secret?_token=local"],
    ["SCHEDULER", "_local/dead-letters"],
    ["LAMBDA", "2015-03-31/functions/orders-dev-getOrder/invocations"],
  ])("under a name that was pointed here reads nothing from the port of %s", async ([part, path]) => {
    const page = await browser.current.newPage();
    onTestFinished(() => page.close());

    const reply = await page.goto(`http://${REBOUND_HOST}:${service.env[`ORDERS_${part}_PORT`]}/${path}`);

    expect(reply?.status()).toBe(403);
    expect(await reply?.text()).toMatch(/The Host header is not loopback|The host name .* is not/);
  });

  test("may read no reply where no origin is configured", async () => {
    const reply = await fetch(`${service.api}/orders/none`, { headers: { origin: "https://shop.example.com" } });
    expect(reply.status).toBe(404);
    expect([...reply.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});
