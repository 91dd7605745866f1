import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { useInventory } from "../support/inventory.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { NO_CHROMIUM, useBrowser } from "./service.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const Violations = z.array(z.object({ id: z.string(), impact: z.string() }));

/** The folder for `docs/console.png`, when the picture is to be made again. */
const PICTURE = process.env.CONSOLE_PICTURE;

let service: Offline;
let url: string;
const browser = useBrowser();
const shop = useInventory();

beforeAll(async () => {
  if (NO_CHROMIUM) return;
  service = await startOffline({ INVENTORY_URL: shop.url });
  url = `http://localhost:${service.env.ORDERS_CONSOLE_PORT}`;
});
afterAll(async () => {
  await service?.stop();
});

describe.skipIf(NO_CHROMIUM)("the console", () => {
  test("shows an order from its placing to its refund, and puts back a dead letter", async () => {
    const { page, problems } = await visit();
    const row = page.getByRole("row").filter({ hasText: "tea-green" });

    await page.getByRole("button", { name: "Place an order" }).click();
    await row.filter({ hasText: /pending.*due in/ }).waitFor();
    await row.getByRole("button", { name: /^01/ }).click();
    await page.getByText(/"ScheduleExpression": "at\(/).waitFor();
    await row.filter({ hasText: /completed.*announced/ }).waitFor();
    await page.getByText("None: it has fired").waitFor();
    await page.getByRole("button", { name: "Close" }).click();

    await row.getByRole("button", { name: /^Refund/ }).click();
    await row.filter({ hasText: "refund requested" }).waitFor();
    await page.getByRole("button", { name: "Run the refund poller" }).click();
    await row.filter({ hasText: /→ refunded/ }).waitFor();

    await page.getByRole("button", { name: "Refund an unknown order" }).click();
    await page.getByText("A refund is requested").waitFor();
    await page.getByRole("button", { name: "Run the refund poller" }).click();
    const letters = page.getByRole("region", { name: "Dead letters" });
    await letters.getByText("unknown_order").waitFor();
    if (PICTURE) await page.screenshot({ path: PICTURE });
    await letters.getByRole("button", { name: "Replay" }).click();
    await letters.getByText("None.").waitFor();

    await row.getByRole("button", { name: /^01/ }).click();
    await page.getByText("INFO Order completed").first().waitFor();
    await page
      .getByText(/createOrder, \d+ ms, cold/)
      .first()
      .waitFor();
    await page
      .getByText(/drainRefunds, \d+ ms/)
      .first()
      .waitFor();
    expect(await seriousIssues(page)).toEqual([]);
    expect(problems).toEqual([]);
  });

  test("stops Redis and brings it back, slows the inventory, and an order whose schedule was lost waits for the sweep", async () => {
    const { page, problems } = await visit();

    await page.getByRole("button", { name: "Stop Redis" }).click();
    await page.getByText(/^Redis does not answer/).waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();
    await page.getByText("0 orders placed, the others failed: 500").waitFor();
    await page.getByRole("button", { name: "Bring Redis back" }).click();
    await page.getByText(/^Redis does not answer/).waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Slow the inventory" }).click();
    await page.getByText(/the inventory is slow/).waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();
    await page.getByText("0 orders placed, the others failed: 504").waitFor();
    await page.getByRole("button", { name: "Make the inventory fast again" }).click();
    await page.getByText(/the inventory is up/).waitFor();

    await page.getByLabel("Schedules are delivered").selectOption("never");
    await page.getByText("The sweep completes each order").waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();
    await page.getByText("1 order placed").waitFor();
    await page.getByText(/overdue by/).waitFor();

    expect(problems).toEqual([]);
  });

  test("ends in a second with Redis stopped", async () => {
    const { page } = await visit();
    await page.getByRole("button", { name: "Stop Redis" }).click();
    await page.getByText(/^Redis is down/).waitFor();

    const { code } = await service.stop();

    expect(code).toBe(0);
    await page.getByText("npm start has ended").waitFor();
  });
});

async function visit(): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.current.newPage({ viewport: { width: 1280, height: 800 } });
  onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  return { page, problems };
}

/** What axe-core finds that keeps somebody from using the page. */
async function seriousIssues(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  const violations = Violations.parse(await page.evaluate("axe.run().then(({ violations }) => violations)"));
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id }) => id);
}
