import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import { logger } from "../../lib/observability.ts";
import { selling, useInventory } from "../support/inventory.ts";
import { failureOf, priceAt } from "../support/questions.ts";
import { silent } from "../support/servers.ts";

const shop = useInventory();

beforeAll(() => logger.setLogLevel("SILENT"));

const priceOf = (id: string, url = shop.url) => priceAt(url, id);

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
    ["no end of the body", (_request, response) => response.writeHead(200).write('{"id": "tea", "price": 19.9}')],
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
