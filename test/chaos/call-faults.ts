import { setTimeout as wait } from "node:timers/promises";
import type { Instance } from "../lambda/instance.ts";
import type { Call } from "./proxy.ts";

/** A call that a fault strikes. */
export interface StruckCall {
  readonly call: Call;
  /** The instance that made it; undefined when it has died meanwhile. */
  readonly instance: Instance | undefined;
}

/** What becomes of a call. */
export type Treatment = (struck: StruckCall) => Promise<void>;

/** So long an instance stands still between two of its events. */
const FROZEN_MS = 200;

/** Slow, but within what any caller waits. */
const SLOW_MS = 700;

export async function passOn({ call }: Pick<StruckCall, "call">): Promise<void> {
  await call.answer(await call.forward());
}

/** What can go wrong with a call on its way to an HTTP server and back; `_after` is after the server did it. */
export const NETWORK_FAULTS = {
  refused: ({ call }) => call.refuse(),
  reset_before: async ({ call }) => call.reset(),
  reset_after: async ({ call }) => {
    await call.forward();
    call.reset();
  },
  half_reply: async ({ call }) => call.answerHalf(await call.forward()),
  /** The reply comes, and the connection that was to be kept ends after it. */
  closed_after: async (struck) => {
    await passOn(struck);
    struck.call.close();
  },
  timeout_before: ({ call }) => call.hold(),
  timeout_after: async ({ call }) => {
    await call.forward();
    await call.hold();
  },
  slow: async (struck) => {
    await wait(SLOW_MS);
    await passOn(struck);
  },
} satisfies Record<string, Treatment>;

export const NETWORK_WEIGHTS = {
  refused: 1,
  reset_before: 1,
  reset_after: 1,
  half_reply: 1,
  closed_after: 1,
  timeout_before: 1,
  timeout_after: 1,
  slow: 1,
} satisfies Record<keyof typeof NETWORK_FAULTS, number>;

/** What can happen to the instance that makes the call. */
export const INSTANCE_FAULTS = {
  killed_before_call: async ({ instance, call }) => {
    instance?.kill();
    call.reset();
  },
  killed_during_call: async ({ instance, call }) => {
    await call.forward();
    instance?.kill();
    call.reset();
  },
  killed_after_call: async (struck) => {
    await passOn(struck);
    struck.instance?.kill();
  },
  /** It wakes after the server has closed its connection. */
  frozen_for_a_while: async (struck) => {
    await passOn(struck);
    struck.instance?.freeze();
    struck.call.close();
    await wait(FROZEN_MS);
    struck.instance?.thaw();
  },
  frozen: async ({ instance, call }) => {
    instance?.freeze();
    await call.forward();
    await call.hold();
  },
} satisfies Record<string, Treatment>;

/** A frozen instance holds its place until its time-out: it is to be rare. */
const RARE = 0.1;

export const INSTANCE_WEIGHTS = {
  killed_before_call: 1,
  killed_during_call: 1,
  killed_after_call: 1,
  frozen_for_a_while: 1,
  frozen: RARE,
} satisfies Record<keyof typeof INSTANCE_FAULTS, number>;
