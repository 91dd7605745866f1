import type { AsyncCommand } from "fast-check";
import fc from "fast-check";
import { ulid } from "ulid";
import { expect } from "vitest";
import type { Fields, Model, OwnStream } from "./model.ts";
import { modelState, type Real, realState } from "./real.ts";

type ModelCommand = AsyncCommand<Model, Real>;

/** How a command reaches Redis: once, or twice because the first reply was lost. */
type Sent = 1 | 2;

/**
 * A command that does the same on the model and on the real service, and then compares all that they hold.
 * @param name how a failing sequence shows it
 */
function command(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Model) => boolean = () => true,
): ModelCommand {
  return {
    check,
    async run(model, real) {
      await run(model, real);
      expect(await realState(real)).toEqual(modelState(model));
    },
    toString: () => name,
  };
}

const how = (sent: Sent): string => (sent === 1 ? "" : ", reply lost");

/** The order of this number, counted from the first and around; undefined when there is none yet. */
function orderAt(model: Model, index: number): string | undefined {
  return [...model.orders.keys()][index % model.orders.size];
}

const hasOrders = (model: Model): boolean => model.orders.size > 0;

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
    await expect(real.find(ulid(1))).rejects.toMatchObject({ code: "order_not_found" });
  }),
);

export const orderCommands: fc.Arbitrary<ModelCommand>[] = [
  fc.oneof({ arbitrary: place, weight: 2 }, { arbitrary: look, weight: 1 }),
  fc.oneof({ arbitrary: complete, weight: 5 }, completeUnknown, lookForUnknown),
  sweep,
];

const UNKNOWN_PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));

/** Requests that no order can be found for. */
const REFUSED: [string, Fields][] = [
  ["of an unknown order", ["pk", UNKNOWN_PK]],
  ["without pk", ["order", UNKNOWN_PK]],
  ["of an empty pk", ["pk", ""]],
  ["of a pk in lower case", ["pk", UNKNOWN_PK.toLowerCase()]],
  ["of a pk that is too long", ["pk", `${UNKNOWN_PK}B`]],
  ["of a pk of all bytes", ["pk", ALL_BYTES, ALL_BYTES, ALL_BYTES]],
  ["with a dead letter's fields", ["dead_reason", "mine", "dead_at", "mine"]],
];

const note = fc.constantFrom<Fields[]>([], ["reason", "broken"], [ALL_BYTES, ""]);

/** Indexes are few, so that the same order is asked for again. */
const requestRefund = fc.tuple(fc.nat({ max: 3 }), note).map(([at, fields]) =>
  command(
    `requestRefund(order ${at})`,
    async (model, real) => {
      const request = [...fields, "pk", orderAt(model, at) ?? ""];
      model.requestRefund(await real.requestRefund(request), request);
    },
    hasOrders,
  ),
);

/** The last pk counts: a client that has the fields as a map sees no other. */
const requestOfTwoPks = fc.tuple(fc.nat({ max: 3 }), fc.boolean()).map(([at, refusable]) =>
  command(
    `requestRefund(two pks, the last ${refusable ? "unknown" : "known"})`,
    async (model, real) => {
      const pks = [UNKNOWN_PK, orderAt(model, at) ?? ""];
      const request = (refusable ? pks.reverse() : pks).flatMap((pk) => ["pk", pk]);
      model.requestRefund(await real.requestRefund(request), request);
    },
    hasOrders,
  ),
);

const requestRefused = fc.constantFrom(...REFUSED).map(([what, fields]) =>
  command(`requestRefund(${what})`, async (model, real) => {
    model.requestRefund(await real.requestRefund(fields), fields);
  }),
);

const drain = sent.map((times) =>
  command(`drain(${how(times).slice(2)})`, async (model, real) => {
    await real.age(model);
    model.drain(times);
    await real.sending(times, () => real.drain(model.now));
  }),
);

const takeAndStop = fc.constant(
  command("take(and stop before settling)", async (model, real) => {
    await real.age(model);
    const expected = model.take();
    const batch = await real.take();
    expect(batch.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    if (batch.length > 0) real.held.push({ batch, expected });
  }),
);

const settleLate = sent.map((times) =>
  command(`settle(what was taken first${how(times)})`, async (model, real) => {
    const [held] = real.held.splice(0, 1);
    if (!held) return;
    const expected = Array.from({ length: times }, () => model.settle(held.expected)).at(-1);
    expect(await real.sending(times, () => real.settle(held.batch, model.now))).toEqual(expected);
  }),
);

const replayDead = sent.map((times) =>
  command(`replayDead(${how(times).slice(2)})`, async (model, real) => {
    model.replayDead(await real.sending(times, () => real.replayDead()));
  }),
);

export const refundCommands: fc.Arbitrary<ModelCommand>[] = [
  fc.oneof({ arbitrary: requestRefund, weight: 4 }, requestOfTwoPks, { arbitrary: requestRefused, weight: 2 }),
  drain,
  fc.oneof({ arbitrary: takeAndStop, weight: 2 }, settleLate),
  replayDead,
];

/** Around every time that means something: due, overdue for the sweep, left by a poller, the end of an idempotency key. */
const STEPS_MS = [1, 4_999, 5_000, 59_999, 60_000, 65_000, 86_340_000, 86_400_000];

/** Clocks of two machines differ: to a function, time may have gone back. */
const BACK_MS = [-1, -10_000];

const moveClock = fc.constantFrom(...STEPS_MS, ...BACK_MS).map((ms) =>
  command(`moveClock(${ms} ms)`, async (model, real) => {
    await real.forgetKeys(model.moveClock(ms));
  }),
);

const loseScripts = fc.constant(
  command("loseScripts()", async (_model, real) => {
    await real.loseScripts();
  }),
);

const stream = fc.constantFrom<OwnStream[]>("order_completed", "refund_order:dead");

const fill = stream.map((name) =>
  command(`fill(${name})`, async (model, real) => {
    model.full.add(name);
    await real.fill(name);
  }),
);

const makeRoom = stream.map((name) =>
  command(
    `makeRoom(${name})`,
    async (model, real) => {
      model.full.delete(name);
      await real.makeRoom(name);
    },
    (model) => model.full.has(name),
  ),
);

export const worldCommands: fc.Arbitrary<ModelCommand>[] = [
  fc.oneof({ arbitrary: moveClock, weight: 3 }, loseScripts, fill, makeRoom),
];
