import fc from "fast-check";
import { expect } from "vitest";
import { command, hasOrders, how, type ModelCommand, orderAt, type Sent } from "./command.ts";
import type { Fields } from "./refund-request.ts";

const UNKNOWN_PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));

const sent = fc.constantFrom<Sent[]>(1, 1, 1, 2);

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
