import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { type HttpFront, startHttpFront } from "../support/http-front.ts";
import { redisAt, useStore } from "../support/store.ts";
import { orderCommands, refundCommands, worldCommands } from "./commands.ts";
import { Model } from "./model.ts";
import { Real } from "./real.ts";
import { ANY_TIME, replayPath, runs } from "./runs.ts";

const RUNS = 25;
const MAX_COMMANDS = 60;

const store = useStore();
let front: HttpFront;

beforeAll(async () => {
  front = await startHttpFront(store.url);
});
afterAll(() => front.stop());

const sequences = fc.commands([...orderCommands, ...refundCommands, ...worldCommands], {
  maxCommands: MAX_COMMANDS,
  size: "max",
  ...(replayPath !== undefined && { replayPath }),
});

test("whatever happens in whatever order, Redis holds what the rules say", { timeout: ANY_TIME }, async () => {
  await fc.assert(
    fc.asyncProperty(sequences, async (commands) => {
      await store.client.flushAll();
      const real = new Real(store.client, redisAt(front.url, store.token), front);
      await fc.asyncModelRun(() => ({ model: new Model(), real }), commands);
    }),
    runs("test/model/orders.test.ts", RUNS),
  );
});
