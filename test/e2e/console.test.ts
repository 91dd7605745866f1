import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { useInventory } from "../support/inventory.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { NO_CHROMIUM, useBrowser } from "./service.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const Violations = z.array(
  z.object({ id: z.string(), impact: z.string(), nodes: z.array(z.object({ html: z.string() })) }),
);

/** The longest scene waits for two runs of the sweep. */
const SCENE_MS = 300_000;

/** The file for the README's picture, when it is to be made again. */
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
  test("shows an order from its placing to its refund", async () => {
    const { page, problems } = await visit();
    const row = page.getByRole("list", { name: "Orders" }).getByRole("listitem").first();

    await page.getByRole("button", { name: "Place an order" }).click();
    await row.filter({ hasText: /waiting.*due in/ }).waitFor();
    await row.getByRole("button", { name: /^…/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/"ScheduleExpression": "at\(/).waitFor();
    await dialog.getByText(/completed .* late\) → announced/).waitFor();
    await dialog.getByText("None: it has fired").waitFor();
    await dialog.getByText("INFO Order completed").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();

    await row.getByRole("button", { name: /^Refund/ }).click();
    await row.filter({ hasText: "refund requested" }).waitFor();
    await byHand(page, "Run the refund poller");
    await row.filter({ hasText: /→ refunded/ }).waitFor();
    await page.getByRole("tab", { name: "Invocations" }).click();
    await page
      .getByText(/createOrder 200 \d+ ms cold/)
      .first()
      .waitFor();
    await page
      .getByText(/drainRefunds ran \d+ ms/)
      .first()
      .waitFor();
    expect(problems).toEqual([]);
  });

  test.for<[scene: string, ends: readonly RegExp[]]>([
    [
      "The same order",
      [/sends the same again: 200, .* Idempotent-Replayed: true/, /422, idempotency_key_reused/, /two orders/],
    ],
    ["A refund", [/keeps the request as a dead letter/, /is back on refund_order/, /Healed: .* is refunded/]],
    ["A flood", [/^All are completed: half at most/, /^order_completed has 500 entries for these 500 orders/]],
    [
      "Redis stops",
      [/: 500 after .* internal_error, request_id/, /same again: 200/, /Healed: .* due\.$/, /No order is lost/],
    ],
    [
      "A schedule that never",
      [/and nothing happens.* is pending/, /^Healed: the sweep completed .* (6[5-9]|[7-9]\d|1\d\d)\.\d s after/],
    ],
  ])("the scene “%s …” ends as it says", { timeout: SCENE_MS }, async ([scene, sentences]) => {
    const { page, problems } = await visit();

    await page.getByRole("button", { name: new RegExp(`^Play, .*: ${scene}`) }).click();

    await page.getByRole("button", { name: `Stop: ${scene}` }).waitFor();
    await page.getByRole("button", { name: `Stop: ${scene}` }).waitFor({ state: "detached", timeout: SCENE_MS });
    const log = await sinceLast(page, `Scene: ${scene}`);
    for (const sentence of sentences) expect(log).toContainEqual(expect.stringMatching(sentence));
    expect(log.at(-1)).toBe("End of the scene.");
    expect(await page.getByText(/^Redis up/).count()).toBe(1);
    expect(problems).toEqual([]);
  });

  test("a scene that is stopped repairs what it broke", async () => {
    const { page } = await visit();

    await page.getByRole("button", { name: /^Play, .*: A schedule that never/ }).click();
    await page.getByText("Schedules fire never").waitFor();
    await page.getByRole("button", { name: "Stop: A schedule that never" }).click();

    await page.getByText("The scene is stopped.").waitFor();
    await page.getByText("Schedules fire on time").first().waitFor();
  });

  test("slows the inventory, and an order that is not placed says why", async () => {
    const { page } = await visit();

    await byHand(page, "Slow the inventory");
    await page.getByText("Inventory slow").waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();

    await page
      .getByText(/1 of 1 were not placed, the last one: 504.* inventory_timed_out, request_id [\w-]+/)
      .waitFor();
    await byHand(page, "Make the inventory fast", { isOpen: true });
    await page.getByText("Inventory up").waitFor();
  });

  test.for(["light", "dark"] as const)(
    "axe finds nothing serious in any tab, wide or narrow: %s",
    async (colorScheme) => {
      const issues: string[] = [];
      for (const width of [1280, 390]) {
        const { page } = await visit({ colorScheme, viewport: { width, height: 900 } });
        await byHand(page, "Refund an unknown order");
        await byHand(page, "Run the refund poller", { isOpen: true });
        for (const tab of ["Dead letters", "Streams", "Invocations", "Orders"]) {
          await page.getByRole("tab", { name: tab }).click();
          issues.push(...(await seriousIssues(page)));
        }
        await page.getByRole("list", { name: "Orders" }).getByRole("button", { name: /^…/ }).first().click();
        issues.push(...(await seriousIssues(page)));
        const [shown = 0, allowed = 0] = z
          .array(z.number())
          .parse(await page.evaluate("[document.documentElement.scrollWidth, innerWidth]"));
        expect(shown).toBeLessThanOrEqual(allowed);
      }
      expect(issues).toEqual([]);
    },
  );

  test("shows which order is late, and what will complete it", { timeout: SCENE_MS }, async () => {
    const { page } = await visit({ viewport: { width: 1280, height: 760 } });
    await page.getByRole("button", { name: "Place an order" }).click({ clickCount: 2 });
    await page.getByRole("listitem").filter({ hasText: "→ announced" }).nth(1).waitFor();
    await byHand(page, "Refund an unknown order");
    await byHand(page, "Run the refund poller", { isOpen: true });
    await page.getByText("By hand").click();
    const waiting = page.locator(".station", { hasText: "Waiting" });
    await waiting.getByText("0", { exact: true }).waitFor();
    await page.getByRole("button", { name: /^Play, .*: A schedule that never/ }).click();
    await page.getByText(/and nothing happens/).waitFor();
    for (const count of ["2", "3", "4"]) {
      await page.getByRole("button", { name: "Place an order" }).click();
      await waiting.getByText(count, { exact: true }).waitFor();
    }
    await page
      .getByText(/^\d+ s late$/)
      .first()
      .waitFor();
    await page.getByText("completes what is 65 s late").waitFor();
    await page.getByText("unknown order").first().waitFor();
    if (PICTURE) await page.screenshot({ path: PICTURE });
    await page.getByRole("button", { name: /^Stop: A schedule/ }).click();
    await page.getByText("Schedules fire on time").first().waitFor();
  });

  test("finds a Redis again that was killed and started by the printed command", { timeout: SCENE_MS }, async () => {
    const { page } = await visit();
    await page.getByText(/^Redis up/).waitFor();

    process.kill(Number(/Redis .+ process (\d+)/.exec(service.output())?.[1]), "SIGKILL");
    await page.getByText(/^Redis does not answer$/).waitFor();
    await byHand(page, "Stop Redis");
    await page.getByText(/^Failed: .*cannot be reached/).waitFor();
    const command = await vi.waitUntil(() => /Start it again with: (.+)/.exec(service.output())?.[1]);
    const redis = spawn("sh", ["-c", `exec ${command}`], { stdio: "ignore" });
    onTestFinished(() => void redis.kill("SIGKILL"));

    await page.getByText(/^Redis up/).waitFor();
    await page.getByText(/^Redis answers again, after/).waitFor();
    await byHand(page, "Stop Redis", { isOpen: true });
    await page.getByText(/^Redis does not answer$/).waitFor();
    await byHand(page, "Bring Redis back", { isOpen: true });
    await page.getByText(/^Redis up/).waitFor();
    await page.getByRole("button", { name: "Place an order" }).click();
    await page.getByRole("list", { name: "Orders" }).getByText("waiting").waitFor();
  });

  test("with completion: sweep it says so, and shows that there is no schedule to lose", async () => {
    await using sweeping = await startedWith("--param=completion=sweep");
    const { page } = await visit({}, sweeping.url);

    await page.getByText("Completed by the sweep, all the time").waitFor();
    await page.getByRole("button", { name: /: No schedule to lose$/ }).click();

    await page.getByText(/^the sweep completed ….{4}, \d+\.\d s after it was due/).waitFor();
    expect(await page.getByText(/Schedules fire/).count()).toBe(0);
  });

  test("ends in a second with Redis stopped, and the page says so", async () => {
    const { page } = await visit();
    await byHand(page, "Stop Redis");
    await page.getByText(/^Redis does not answer$/).waitFor();

    const { code } = await service.stop();

    expect(code).toBe(0);
    await page.getByText("npm start has ended").waitFor();
    expect(await page.getByRole("button", { name: "Place an order" }).isDisabled()).toBe(true);
  });
});

async function startedWith(option: string) {
  const { env, stop } = await startOffline({}, [option]);
  return { url: `http://localhost:${env.ORDERS_CONSOLE_PORT}`, [Symbol.asyncDispose]: async () => void (await stop()) };
}

async function visit(options: Parameters<typeof browser.current.newPage>[0] = {}, address = url) {
  const page = await browser.current.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => page.close());
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(address);
  return { page, problems };
}

async function byHand(page: Page, button: string, { isOpen = false } = {}): Promise<void> {
  if (!isOpen) await page.getByText("By hand").click();
  await page.getByRole("button", { name: button }).click();
}

/** The sentences of the log, the oldest first, since the newest that begins so. */
async function sinceLast(page: Page, beginning: string): Promise<string[]> {
  const sentences = await page.getByRole("log").locator("span").allTextContents();
  return sentences
    .slice(
      0,
      sentences.findIndex((sentence) => sentence.startsWith(beginning)),
    )
    .toReversed();
}

/** What axe-core finds that keeps somebody from using the page. */
async function seriousIssues(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  const violations = Violations.parse(await page.evaluate("axe.run().then(({ violations }) => violations)"));
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id} ${html}`));
}
