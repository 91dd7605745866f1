import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createInventory } from "../../../lib/integrations/inventory.ts";
import { OrderRequest } from "../../../lib/orders/order-request.ts";
import { logger } from "../../../lib/telemetry.ts";
import { failureOf, productIn, selling, useInventory } from "../../support/inventory.ts";

const shop = useInventory();

beforeAll(() => logger.setLogLevel("SILENT"));

const priceOf = async (id: string, url = shop.url) => createInventory({ INVENTORY_URL: url })?.priceOf(id);

test("there is no inventory without a URL", () => {
  expect(createInventory({})).toBeUndefined();
  expect(createInventory({ INVENTORY_URL: "" })).toBeUndefined();
});

/** What no error may show: it stands in every answer that has a place for it. */
const SECRET = "what-only-the-inventory-knows";

const product = (fields: object) => JSON.stringify({ pk: "tea", name: SECRET, price: 19.9, quantity: 5, ...fields });

const says =
  (text: string | Buffer, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { location: "/products/tea-black" }).end(text);

test.for([
  ["the shop's own product", product({})],
  ["a product of the shop's list", product({ id: "tea", pk: undefined })],
  ["a product with both names", product({ id: "tea" })],
  ["a price alone", '{"price": 19.9}'],
  ["names that are null", product({ id: null, pk: null })],
  ["a body of exactly 64 KB", product({}).padEnd(65_536)],
] as const)("the price is read from %s", async ([, reply]) => {
  shop.answerWith(says(reply));

  expect(await priceOf("tea")).toBe(19.9);
});

test("an id that is a number names the product of these digits", async () => {
  shop.answerWith(says(product({ id: 17, pk: undefined })));

  expect(await priceOf("17")).toBe(19.9);
});

test.for(["a\\b", "%2e%2e%2fadmin", "a b+c", "caf\u00e9 \u2615 \u{1f600}", "\ufeffbom"])(
  "the id %o is one segment that decodes to it, of a path below that of the URL",
  async (id) => {
    expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(true);

    await priceOf(id, `${shop.url}/shop/v1/`);

    const [question = ""] = shop.questions;
    expect(shop.questions).toHaveLength(1);
    expect(question).toMatch(/^\/shop\/v1\/products\/[^/?#\\]+$/);
    expect(productIn(question)).toBe(id);
  },
);

describe("a connection that breaks is tried once more:", () => {
  const breaks: [string, RequestListener][] = [
    ["before the answer", ({ socket }) => socket.resetAndDestroy()],
    [
      "within the body",
      (_request, response) => {
        response.writeHead(200, { "content-length": "1000" }).write("{");
        setImmediate(() => response.destroy());
      },
    ],
  ];

  test.for(breaks)("%s, and the second answer counts, but there is no third", async ([, breakOff]) => {
    shop.answerWith((request, response) => {
      if (shop.questions.length === 1) breakOff(request, response);
      else selling(19.9)(request, response);
    });
    expect(await priceOf("tea")).toBe(19.9);
    expect(shop.questions).toHaveLength(2);

    shop.answerWith(breakOff);
    expect((await failureOf(priceOf("tea"))).error.code).toBe("inventory_failed");
    expect(shop.questions).toHaveLength(4);
  });
});

describe("no whole reply within 2 seconds is a time-out:", () => {
  test.for<[string, number, RequestListener]>([
    ["no end of the body", 1, (_request, response) => response.writeHead(200).write('{"id": "tea", "price": 19.9}')],
    [
      "a second attempt that hangs",
      2,
      ({ socket }) => {
        if (shop.questions.length === 1) socket.resetAndDestroy();
      },
    ],
  ])("%s", async ([, attempts, answer]) => {
    shop.answerWith(answer);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    let settled = false;

    const failure = failureOf(priceOf("tea")).finally(() => {
      settled = true;
    });
    // Each look moves the clock by the interval.
    await vi.waitFor(() => expect(shop.questions).toHaveLength(attempts), { interval: 1, timeout: 60_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);

    const { error, shown } = await failure;
    expect(error.code).toBe("inventory_timed_out");
    expect(shown).toContain("TimeoutError");
  });
});

test("a product that the inventory does not know is refused by its id", async () => {
  shop.answerWith(says(SECRET, 404));

  const { error } = await failureOf(priceOf("tea-blue"));

  expect(error).toMatchObject({
    code: "unknown_product",
    fields: [{ path: ["id"], detail: expect.stringContaining("tea-blue") }],
  });
  expect(shop.questions).toHaveLength(1);
});

test.for<[string, RequestListener, RegExp]>([
  ["500, which is also the shop's reply for an unknown product", says(SECRET, 500), /status 500/],
  ["a success without a product", says("", 204), /status 204/],
  ["a redirect, which is not followed", says(SECRET, 302), /status 302/],
  ["a page", says(`<html>${SECRET}</html>`), /Not JSON/],
  ["no HTTP", ({ socket }) => socket.end(`${SECRET}\r\n\r\n`), /Parse Error/],
  ["JSON that is no product", says(JSON.stringify([SECRET])), /expected object|invalid/i],
  ["another product's pk", says(product({ pk: `${SECRET}-tea` })), /another product/],
  ["the product's pk with another's id", says(product({ id: `${SECRET}-tea` })), /another product/],
  ["an id that is no name", says(product({ id: ["tea"], pk: undefined })), /another product/],
  ["no price", says(product({ price: null })), /price/],
  ["three decimals", says(product({ price: 19.999 })), /price/],
  ["a body of more than 64 KB", says(product({}).padEnd(65_537)), /more than 65536 bytes/],
])("a failure, of which nothing shows that the inventory said: %s", async ([, answer, reason]) => {
  shop.answerWith(answer);

  const { error, shown } = await failureOf(priceOf("tea"));

  expect(error.code).toBe("inventory_failed");
  expect(shown).toMatch(reason);
  expect(shown).not.toContain(SECRET);
  expect(shown).not.toContain('"tea"');
  expect(shop.questions).toEqual(["/products/tea"]);
});
