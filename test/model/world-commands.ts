import fc from "fast-check";
import { command, type ModelCommand } from "./command.ts";
import type { OwnStream } from "./model.ts";

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
