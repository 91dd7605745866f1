import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import { logger } from "../../lib/telemetry.ts";
import { useInventory } from "../support/inventory.ts";
import { failureOf, priceAt } from "../support/questions.ts";
import { refused } from "../support/servers.ts";

/** What no error may show: it stands in every answer that has a place for it. */
const SECRET = "what-only-the-inventory-knows";

const shop = useInventory();

beforeAll(() => logger.setLogLevel("SILENT"));

const priceOf = (id: string, url = shop.url) => priceAt(url, id);

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
    ["400", says(SECRET, 400), /status 400/],
    ["a success without a product", says("", 204), /status 204/],
    ["a page", says(`<html>${SECRET}</html>`), /Not JSON/],
    ["no body", says(""), /Not JSON/],
    ["JSON that is cut off", says(product({}).slice(0, -5)), /Not JSON/],
    ["JSON that is no product", says(JSON.stringify([SECRET])), /expected object|invalid/i],
    ["null", says("null"), /expected object|invalid/i],
    ["another product's pk", says(product({ pk: `${SECRET}-tea` })), /another product/],
    ["another product's id", says(product({ id: `${SECRET}-tea`, pk: undefined })), /another product/],
    ["the product's pk with another's id", says(product({ id: `${SECRET}-tea` })), /another product/],
    ["an id that is no name", says(product({ id: ["tea"], pk: undefined })), /another product/],
    ["a price in quotes", says(product({ price: "19.90" })), /price/],
    ["no price", says(product({ price: null })), /price/],
    ["NaN, which is not JSON", says(product({}).replace("19.9", "NaN")), /Not JSON/],
    ["a price beyond any number", says(product({}).replace("19.9", "1e999")), /price/],
    ["a price in words", says(product({ price: "NaN" })), /price/],
    ["a negative price", says(product({ price: -0.01 })), /price/],
    ["three decimals", says(product({ price: 19.999 })), /price/],
    ["a price above the largest", says(product({ price: 10_000_000.01 })), /price/],
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

  test("a body of more than 64 KB, which is not read to its end", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    shop.answerWith((_request, response) => {
      response.on("close", resolve);
      // It would never end: only who refuses it while reading ends this test.
      const more = () => {
        while (response.write(Buffer.alloc(16_384, " ")));
        response.once("drain", more);
      };
      more();
    });

    expect((await failureOf(priceOf("tea"))).shown).toContain("more than 65536 bytes");

    await closed;
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
