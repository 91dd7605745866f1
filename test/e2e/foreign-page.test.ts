import type { Browser, Page } from "playwright-core";
import { createClient } from "redis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { placeOrderEvent } from "../support/functions.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { launchChromium } from "../support/programs.ts";
import { answering, text } from "../support/servers.ts";

/** Installing Chromium, and a browser's first start on a busy machine. */
const SETUP_MS = 15 * 60_000;

/** A name that leads to this machine, as one of an attacker's does after DNS rebinding. */
const REBOUND_HOST = "evil.example";

let service: Offline;
let browser: Browser;
const redis = { client: createClient() };

beforeAll(async () => {
  service = await startOffline();
  browser = await launchChromium([`--host-resolver-rules=MAP ${REBOUND_HOST} 127.0.0.1`]);
  redis.client = createClient({ url: `redis://127.0.0.1:${service.env.ORDERS_REDIS_PORT}` });
  await redis.client.connect();
}, SETUP_MS);

afterAll(async () => {
  redis.client.destroy();
  await browser?.close();
  await service?.stop();
});

const gatewayUrl = () => `http://127.0.0.1:${service.env.ORDERS_UPSTASH_PORT}`;
const lambdaUrl = () => `http://127.0.0.1:${service.env.ORDERS_LAMBDA_PORT}`;

/** A page of `host`, which a server of another port gives. */
async function openPage(host: string): Promise<Page> {
  const url = new URL(await answering(text(200, "<!doctype html>")));
  url.hostname = host;
  const page = await browser.newPage();
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

    await page.setContent(`<img src="${gatewayUrl()}/set/image/1?_token=local">`);
    await postText(page, `${gatewayUrl()}/?_token=local`, '["SET", "text", "1"]');
    await postText(
      page,
      `${lambdaUrl()}/2015-03-31/functions/orders-dev-createOrder/invocations`,
      JSON.stringify(placeOrderEvent({ id: "tea-green", quantity: 2 })),
    );

    expect(await redis.client.exists(["image", "text"])).toBe(0);
    expect(await redis.client.keys("order:*")).toEqual([]);
  },
);

test("a page under a name that was pointed here reads nothing from any port", async () => {
  await redis.client.set("secret", "value");
  const paths = [
    `${service.env.ORDERS_API_PORT}/openapi.yaml`,
    `${service.env.ORDERS_UPSTASH_PORT}/get/secret?_token=local`,
    `${service.env.ORDERS_SCHEDULER_PORT}/_local/dead-letters`,
    `${service.env.ORDERS_LAMBDA_PORT}/2015-03-31/functions/orders-dev-getOrder/invocations`,
  ];
  const page = await browser.newPage();
  onTestFinished(() => page.close());

  for (const path of paths) {
    const reply = await page.goto(`http://${REBOUND_HOST}:${path}`);
    expect(await reply?.text()).toContain("The Host header is not loopback");
    expect(reply?.status()).toBe(403);
  }
});

test("what a person types in the address bar is served", async () => {
  await redis.client.set("mine", "value");
  const page = await browser.newPage();
  onTestFinished(() => page.close());

  const reply = await page.goto(`${gatewayUrl()}/get/mine?_token=local`);

  expect(await reply?.json()).toEqual({ result: "value" });
});
