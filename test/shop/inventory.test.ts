import { beforeAll, expect, onTestFinished, test } from "vitest";
import { COMPLETED_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { useRedis } from "../support/redis.ts";
import { type Inventory, inventoryPython, startInventory } from "./inventory.ts";

const GROUP = "inventory-group";

/** Installing the Python package on a machine without it. */
const SETUP_MS = 15 * 60_000;
const PATIENCE = { timeout: 60_000, interval: 50 };

const redis = useRedis();

beforeAll(async () => {
  await inventoryPython();
}, SETUP_MS);

/** An entry of `order_completed`, with a field of which the inventory knows nothing. */
const completed = (product: string, quantity: number) => ({
  pk: `pk of ${quantity} ${product}`,
  product_id: product,
  quantity: String(quantity),
  status: "completed",
  total: "12.40 €",
});

async function announce(...orders: readonly ReturnType<typeof completed>[]): Promise<void> {
  for (const order of orders) await redis.client.xAdd(COMPLETED_STREAM, "*", order);
}

async function openInventory(): Promise<Inventory> {
  const inventory = await startInventory(redis.url);
  onTestFinished(() => inventory.stop());
  return inventory;
}

/** Waits until every announcement was given to the inventory and acknowledged by it. */
async function settled(): Promise<void> {
  const group = { name: GROUP, lag: 0, pending: 0 };
  await expect
    .poll(() => redis.client.xInfoGroups(COMPLETED_STREAM), PATIENCE)
    .toEqual([expect.objectContaining(group)]);
}

async function refundRequests() {
  const entries = (await redis.client.xRange(REFUND_STREAM, "-", "+")) ?? [];
  return entries.map(({ message }) => ({ ...message }));
}

test("products are served as the shop's own service does, and one that is unknown is a 500", async () => {
  await redis.client.set("stock:tea", "12");
  const { url } = await openInventory();

  const known = await fetch(`${url}/products/tea`);

  expect(await known.json()).toEqual({ pk: "tea", name: "tea", price: 19.9, quantity: 12 });
  expect((await fetch(`${url}/products/coffee`)).status).toBe(500);
});

test("orders lower the stock of their product, also those that completed before the inventory first ran", async () => {
  await redis.client.mSet({ "stock:tea": "10", "stock:honey": "5" });
  await announce(completed("tea", 2), completed("honey", 5));

  await openInventory();
  await settled();
  await announce(completed("tea", 8));
  await settled();

  expect(await redis.client.mGet(["stock:tea", "stock:honey"])).toEqual(["0", "0"]);
  expect(await refundRequests()).toEqual([]);
});

test("what is not in stock, or not known, is copied whole to the refund requests", async () => {
  await redis.client.set("stock:tea", "3");
  const refused = [completed("tea", 4), completed("coffee", 1)];

  await openInventory();
  await announce(...refused, completed("tea", 3));
  await settled();

  expect(await refundRequests()).toEqual(refused);
  expect(await redis.client.mGet(["stock:tea", "stock:coffee"])).toEqual(["0", null]);
});

test("an inventory that died with orders in hand settles them when it is back, once", async () => {
  await redis.client.set("stock:tea", "3");
  await announce(completed("tea", 2), completed("tea", 2));
  await redis.client.xGroupCreate(COMPLETED_STREAM, GROUP, "0");
  await redis.client.xReadGroup(GROUP, "inventory", { key: COMPLETED_STREAM, id: ">" });

  await openInventory();
  await settled();

  expect(await redis.client.get("stock:tea")).toBe("1");
  expect(await refundRequests()).toEqual([completed("tea", 2)]);
});
