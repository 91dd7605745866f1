import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "../support/servers.ts";

test("the page is served for the service of ORDERS_API_PORT, and says where", async () => {
  // given
  const ports = await freePorts("ORDERS_SHOP_PORT");
  const env = { ...process.env, ...ports, ORDERS_API_PORT: "4711" };
  // when
  const shop = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const complaints = text(shop.stderr);
  const closed = once(shop, "close");
  onTestFinished(async () => {
    shop.kill();
    await closed;
  });
  const ended = closed.then(async () => expect.unreachable(`The shop ended: ${await complaints}`));
  const [said] = await Promise.race([once(shop.stdout, "data"), ended]);
  // then
  const address = `http://localhost:${ports.ORDERS_SHOP_PORT}`;
  expect(String(said)).toBe(`Shop: ${address}\n`);
  expect(await (await fetch(address)).text()).toContain('data-api="http://localhost:4711"');
  expect((await fetch(`${address}/page.js`)).headers.get("content-type")).toBe("text/javascript");
});
