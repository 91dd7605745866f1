import type { RequestListener } from "node:http";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { logger } from "../../lib/telemetry.ts";
import { selling, useInventory } from "../support/inventory.ts";
import { failureOf, priceAt } from "../support/questions.ts";

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
