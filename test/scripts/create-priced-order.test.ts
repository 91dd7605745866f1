import { expect, test } from "vitest";
import { type Creation, runCreateOrder } from "../support/create-order.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { CREATED_AT, newPk } from "../support/orders.ts";
import { useStore } from "../support/store.ts";

const CREATED = 1;
const REPLAYED = 2;
const IDEMPOTENCY_KEY = "idempotency:abc";

const store = useStore();

const create = (creation: Creation) => runCreateOrder(store, creation);

test("an order with prices is stored with them as they were given", async () => {
  const pk = newPk();

  expect(await create({ pk, prices: ["19.90", "7.96", "47.76"] })).toEqual([CREATED, pk]);

  expect(await store.client.hGetAll(`order:${pk}`)).toEqual({
    pk,
    product_id: "123",
    quantity: "2",
    price: "19.90",
    fee: "7.96",
    total: "47.76",
    status: "pending",
    created_at: CREATED_AT,
  });
});

test.for<[string, string[]]>([
  ["another price", ["20.00", "8.00", "48.00"]],
  ["no price", []],
])("nothing is written when the same call, or the key, comes with %s: the first price stays", async ([, prices]) => {
  const creation = { pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY, prices: ["19.90", "7.96", "47.76"] };
  await create(creation);
  const before = await dumpKeyspace(store.client);

  expect(await create({ ...creation, prices })).toEqual([CREATED, creation.pk]);
  expect(await create({ ...creation, pk: newPk(), prices })).toEqual([REPLAYED, creation.pk]);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});
