import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createInventory } from "../../../lib/integrations/inventory.ts";
import { OrderRequest } from "../../../lib/orders/order-request.ts";
import { logger } from "../../../lib/telemetry.ts";
import { failureOf, priceAt, productIn, selling, useInventory } from "../../support/inventory.ts";
import { refused } from "../../support/servers.ts";

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

test.for(["a\\b", "%2e%2e%2fadmin", "a b+c", "caf\u00e9 \u2615 \u{1f600}", "\ufeffbom", "😀".repeat(128)])(
  "the id %o is one segment of the path that decodes to it",
  async (id) => {
    expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(true);

    await priceOf(id);

    const [question = ""] = shop.questions;
    expect(shop.questions).toHaveLength(1);
    expect(question).toMatch(/^\/products\/[^/?#\\]+$/);
    expect(productIn(question)).toBe(id);
  },
);

describe("connections to the inventory", () => {
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

    test.for(breaks)("%s, and the second answer counts", async ([, breakOff]) => {
      shop.answerWith((request, response) => {
        if (shop.questions.length === 1) breakOff(request, response);
        else selling(19.9)(request, response);
      });

      expect(await priceOf("tea")).toBe(19.9);
      expect(shop.questions).toHaveLength(2);
    });

    test.for(breaks)("%s, and never again", async ([, breakOff]) => {
      shop.answerWith(breakOff);

      expect((await failureOf(priceOf("tea"))).error.code).toBe("inventory_failed");
      expect(shop.questions).toHaveLength(2);
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
});

describe("an inventory that fails", () => {
  /** What no error may show: it stands in every answer that has a place for it. */
  const SECRET = "what-only-the-inventory-knows";

  const product = (fields: object) => JSON.stringify({ pk: "tea", name: SECRET, price: 19.9, quantity: 5, ...fields });
  const says =
    (text: string | Buffer, status = 200): RequestListener =>
    (_request, response) =>
      response.writeHead(status).end(text);

  test("a product that the inventory does not know is refused by its id", async () => {
    shop.answerWith(says(SECRET, 404));

    const { error } = await failureOf(priceOf("tea-blue"));

    expect(error).toMatchObject({
      code: "unknown_product",
      fields: [{ path: ["id"], detail: expect.stringContaining("tea-blue") }],
    });
    expect(shop.questions).toHaveLength(1);
  });

  describe("a failure, of which nothing shows that the inventory said:", () => {
    test.for<[string, RequestListener, RegExp]>([
      ["500, which is also the shop's reply for an unknown product", says(SECRET, 500), /status 500/],
      ["a success without a product", says("", 204), /status 204/],
      ["a page", says(`<html>${SECRET}</html>`), /Not JSON/],
      ["no body", says(""), /Not JSON/],
      ["JSON that is no product", says(JSON.stringify([SECRET])), /expected object|invalid/i],
      ["another product's pk", says(product({ pk: `${SECRET}-tea` })), /another product/],
      ["the product's pk with another's id", says(product({ id: `${SECRET}-tea` })), /another product/],
      ["an id that is no name", says(product({ id: ["tea"], pk: undefined })), /another product/],
      ["a price in quotes", says(product({ price: "19.90" })), /price/],
      ["no price", says(product({ price: null })), /price/],
      ["a negative price", says(product({ price: -0.01 })), /price/],
      ["three decimals", says(product({ price: 19.999 })), /price/],
      ["a price above the largest", says(product({ price: 10_000_000.01 })), /price/],
      ["a body of more than 64 KB", says(product({}).padEnd(65_537)), /more than 65536 bytes/],
      ["bytes that are no text", says(Buffer.from([0xff, 0xfe, 0x00])), /Not JSON/],
    ])("%s", async ([, answer, reason]) => {
      shop.answerWith(answer);

      const { error, shown } = await failureOf(priceOf("tea"));

      expect(error.code).toBe("inventory_failed");
      expect(shown).toMatch(reason);
      expect(shown).not.toContain(SECRET);
      expect(shown).not.toContain('"tea"');
      expect(shop.questions).toHaveLength(1);
    });

    test.for([301, 302, 303, 307, 308])("a redirect, which is not followed: %d", async (status) => {
      shop.answerWith((_request, response) => response.writeHead(status, { location: "/products/tea-black" }).end());

      expect((await failureOf(priceOf("tea"))).error.code).toBe("inventory_failed");

      expect(shop.questions).toEqual(["/products/tea"]);
    });

    test("an answer that is no HTTP", async () => {
      shop.answerWith(({ socket }) => socket.end(`${SECRET}\r\n\r\n`));

      const { error, shown } = await failureOf(priceOf("tea"));

      expect(error.code).toBe("inventory_failed");
      expect(shown).not.toContain(SECRET);
    });

    test("a body of exactly 64 KB is read", async () => {
      shop.answerWith(says(product({}).padEnd(65_536)));

      expect(await priceOf("tea")).toBe(19.9);
    });

    test("nobody listens", async () => {
      const { error, shown } = await failureOf(priceOf("tea", await refused()));

      expect(error.code).toBe("inventory_failed");
      expect(shown).toContain("ECONNREFUSED");
    });
  });
});
