import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { selling } from "../support/inventory.ts";
import { startOffline } from "../support/offline.ts";
import { answering, listen } from "../support/servers.ts";
import { listens, place, running } from "./service.ts";

describe("Ctrl-C", () => {
  test("ends everything that was started, with exit code 0", async () => {
    // given
    const service = await running();
    const ports = ["API", "LAMBDA", "SCHEDULER", "UPSTASH", "REDIS"].map((part) => service.env[`ORDERS_${part}_PORT`]);
    expect(await Promise.all(ports.map(listens))).not.toContain(false);
    // when
    const { code } = await service.stop();
    // then
    expect(code).toBe(0);
    await expect.poll(() => Promise.all(ports.map(listens))).not.toContain(true);
  });
});

describe("a taken port", () => {
  test("by an order service that already runs is told in one line", async () => {
    // given
    const first = await running();
    // when
    const second = startOffline({ ORDERS_API_PORT: first.env.ORDERS_API_PORT });
    // then
    const line = `Port ${first.env.ORDERS_API_PORT} (the API) is taken by an order service that already runs: stop it, or set ORDERS_API_PORT to another port`;
    await expect(second).rejects.toThrow(line);
  });

  test("by another program is told in one line, before anything is built", async () => {
    // given
    const other = createServer((socket) => socket.destroy());
    const { port } = new URL(await listen(other));
    onTestFinished(() => void other.close());
    // when
    const start = startOffline({ ORDERS_API_PORT: port });
    // then
    const line = `Port ${port} (the API) is taken by another program: stop it, or set ORDERS_API_PORT to another port`;
    await expect(start).rejects.toThrow(new RegExp(`\\n${RegExp.escape(line)}\\n$`));
  });
});

test("the inventory of INVENTORY_URL is asked for prices", async () => {
  // given
  const shop = await answering(selling(19.9));
  const service = await running({ INVENTORY_URL: `${shop}/shop/` });
  // when
  const reply = await place(service);
  // then
  expect(await reply.json()).toMatchObject({ price: 19.9, fee: 7.96, total: 47.76 });
});
