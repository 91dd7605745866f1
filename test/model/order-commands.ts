import fc from "fast-check";
import { ulid } from "ulid";
import { expect } from "vitest";
import { command, hasOrders, how, type ModelCommand, orderAt, type Sent } from "./command.ts";

const sent = fc.constantFrom<Sent[]>(1, 1, 1, 2);
const index = fc.nat({ max: 4 });

/** Few products and keys, so that sequences come back to them: the same key with the same body, and with another. */
const key = fc.option(fc.constantFrom("first-idempotency-key", "other-idempotency-key"), { nil: undefined });
const product = fc.constantFrom("123", "tea");
const quantity = fc.constantFrom(1, 2);

/** In cents: the inventory's price changes at will, and now and then the service runs without one. */
const price = fc.constantFrom(undefined, 3, 1_990, 1_000_000_000);

/** A `POST /orders`: a new order, a replay, or a key that is used for another order. */
const place = fc.tuple(product, quantity, key, price, sent).map(([id, pieces, idempotencyKey, cents, times]) =>
  command(`place(${pieces} ${id} at ${cents}, ${idempotencyKey ?? "no key"}${how(times)})`, async (model, real) => {
    const placed = await real.sending(times, () => real.place(id, pieces, idempotencyKey, cents, model.now));
    const newPk = () => (typeof placed === "string" ? "none" : placed.order.pk);
    expect(placed).toEqual(model.place(id, pieces, idempotencyKey, cents, newPk));
  }),
);

/** A schedule that fires: early, late, again. */
const complete = fc.tuple(index, sent).map(([at, times]) =>
  command(
    `complete(order ${at}${how(times)})`,
    async (model, real) => {
      const pk = orderAt(model, at) ?? "";
      const completes = model.complete(pk);
      const completed = real.sending(times, () => real.complete(pk, model.now));
      if (completes) await completed;
      else await expect(completed).rejects.toMatchObject({ code: "redis_failed" });
    },
    hasOrders,
  ),
);

const completeUnknown = fc.constant(
  command("complete(unknown order)", async (model, real) => {
    const pk = ulid(0);
    model.complete(pk);
    await real.complete(pk, model.now);
  }),
);

const sweep = sent.map((times) =>
  command(`sweep(${how(times).slice(2)})`, async (model, real) => {
    model.sweep();
    await real.sending(times, () => real.sweep(model.now));
  }),
);

/** A `GET /orders/{pk}`. */
const look = index.map((at) =>
  command(
    `look(order ${at})`,
    async (model, real) => {
      const pk = orderAt(model, at) ?? "";
      expect(await real.find(pk)).toEqual(model.orders.get(pk));
    },
    hasOrders,
  ),
);

const lookForUnknown = fc.constant(
  command("look(unknown order)", async (_model, real) => {
    await expect(real.find(ulid(0))).rejects.toMatchObject({ code: "order_not_found" });
  }),
);

export const orderCommands: fc.Arbitrary<ModelCommand>[] = [
  fc.oneof({ arbitrary: place, weight: 2 }, { arbitrary: look, weight: 1 }),
  fc.oneof({ arbitrary: complete, weight: 5 }, completeUnknown, lookForUnknown),
  sweep,
];
