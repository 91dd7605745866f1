import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "../support/free-ports.ts";

test("the page is served for the service of ORDERS_API_PORT, and says where", async () => {
  // given
  const ports = await freePorts("ORDERS_SHOP_PORT");
  const env = { ...process.env, ...ports, ORDERS_API_PORT: "4711" };
  // when
  const shop = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    shop.kill();
    await once(shop, "close");
  });
  const [said] = await once(shop.stdout, "data");
  // then
  const address = `http://localhost:${ports.ORDERS_SHOP_PORT}`;
  expect(String(said)).toBe(`Shop: ${address}\n`);
  expect(await (await fetch(address)).text()).toContain('data-api="http://localhost:4711"');
  expect((await fetch(`${address}/page.js`)).headers.get("content-type")).toBe("text/javascript");
});
