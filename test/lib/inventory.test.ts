import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import { OrderError } from "../../lib/errors.ts";
import { productInventory } from "../../lib/inventory.ts";
import { logger } from "../../lib/observability.ts";
import { OrderRequest } from "../../lib/order.ts";
import { productIn, selling, useInventory } from "../support/inventory.ts";
import { refused, silent } from "../support/servers.ts";

/** What no error may show: it stands in every answer that has a place for it. */
const SECRET = "what-only-the-inventory-knows";

const shop = useInventory();

beforeAll(() => logger.setLogLevel("SILENT"));

function inventoryAt(url: string) {
  const inventory = productInventory({ INVENTORY_URL: url });
  if (!inventory) throw new Error("There is no inventory without a URL");
  return inventory;
}

const priceOf = (id: string, url = shop.url) => inventoryAt(url).priceOf(id);

/** The error that a question ends with, and all that a log would show of it. */
async function failureOf(question: Promise<number>): Promise<{ error: OrderError; shown: string }> {
  const error: unknown = await question.then(
    (price) => expect.unreachable(`The price is ${price}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OrderError)) throw error;
  let shown = "";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    shown += `${cause.stack} ${JSON.stringify(cause)}`;
  }
  return { error, shown };
}

const product = (fields: object) => JSON.stringify({ id: "tea", name: SECRET, price: 19.9, quantity: 5, ...fields });
const says =
  (text: string | Buffer, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(text);

test("there is no inventory without a URL", () => {
  expect(productInventory({})).toBeUndefined();
  expect(productInventory({ INVENTORY_URL: "" })).toBeUndefined();
});

test.for([0, 0.01, 19.9, 10_000_000])("the price of one piece is told: %d", async (price) => {
  shop.sellAt(price);

  expect(await priceOf("tea")).toBe(price);
});

test.for(["", "/", "//", "/shop", "/shop/v1/"])("a URL that ends in %o gets /products/{id} appended", async (end) => {
  await priceOf("tea", shop.url + end);

  expect(shop.questions).toEqual([`${end.replace(/\/+$/, "")}/products/tea`]);
});

test.for([
  "tea",
  "a/b",
  "/",
  "a\\b",
  "?x=1",
  "tea?x=1&y",
  "#",
  "tea#part",
  "%2e%2e",
  "%2e%2e%2fadmin",
  "%",
  "...",
  ".hidden",
  "a b+c",
  "@host:80",
  "//host",
  "caf\u00e9 \u2615 \u{1f600}",
  "\u2028",
  "\ufeffbom",
  "😀".repeat(128),
])("the id %o is one segment of the path that decodes to it", async (id) => {
  expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(true);

  await priceOf(id);

  const [question = ""] = shop.questions;
  expect(shop.questions).toHaveLength(1);
  expect(question).toMatch(/^\/products\/[^/?#\\]+$/);
  expect(productIn(question)).toBe(id);
});

test.for([".", "..", "../admin", "a/../../admin", "..\\admin", "a/."])("%o is no product's id", (id) => {
  expect(OrderRequest.safeParse({ id, quantity: 1 }).success).toBe(false);
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

test("what a refusal says besides is not waited for", async () => {
  shop.answerWith((_request, response) => response.writeHead(404).write(SECRET));

  expect((await failureOf(priceOf("tea"))).error.code).toBe("unknown_product");
});

describe("a failure, of which nothing shows that the inventory said:", () => {
  test.for<[string, RequestListener, RegExp]>([
    ["500", says(SECRET, 500), /answered 500/],
    ["400", says(SECRET, 400), /answered 400/],
    ["a success without a product", says("", 204), /answered 204/],
    ["a page", says(`<html>${SECRET}</html>`), /Not JSON/],
    ["no body", says(""), /Not JSON/],
    ["JSON that is cut off", says(product({}).slice(0, -5)), /Not JSON/],
    ["JSON that is no product", says(JSON.stringify([SECRET])), /expected object|invalid/i],
    ["null", says("null"), /expected object|invalid/i],
    ["another product", says(product({ id: `${SECRET}-tea` })), /not the id/],
    ["a product without an id", says(product({ id: undefined })), /invalid/i],
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
  test.for<[string, RequestListener]>([
    ["no head", () => undefined],
    ["no end of the body", (_request, response) => response.writeHead(200).write(product({}))],
    [
      "a body that drips",
      (_request, response) => {
        const dripping = setInterval(() => response.write(" "), 50);
        response.on("close", () => clearInterval(dripping));
      },
    ],
    [
      "a second attempt that hangs",
      ({ socket }) => {
        if (shop.questions.length === 1) socket.resetAndDestroy();
      },
    ],
  ])("%s", async ([, answer]) => {
    shop.answerWith(answer);
    const begun = performance.now();

    const { error, shown } = await failureOf(priceOf("tea"));

    expect(error.code).toBe("inventory_timed_out");
    expect(shown).toContain("TimeoutError");
    expect(performance.now() - begun).toBeGreaterThan(1_900);
  });

  test("a connection that is taken, and nothing more", async () => {
    expect((await failureOf(priceOf("tea", await silent()))).error.code).toBe("inventory_timed_out");
  });
});
