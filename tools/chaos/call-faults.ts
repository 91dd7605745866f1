import { setTimeout as wait } from "node:timers/promises";
import type { Instance } from "../lambda-host/instance.ts";
import type { Call } from "./proxy.ts";

/** A call that a fault strikes. */
interface StruckCall {
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
const NETWORK_FAULTS = {
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

const NETWORK_WEIGHTS = {
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

const upstashError = (status: number, message: string): Treatment => {
  return ({ call }) =>
    call.answer({
      status,
      headers: { "content-type": "application/json" },
      content: JSON.stringify({ error: message }),
    });
};

export const REDIS_FAULTS = {
  ...NETWORK_FAULTS,
  http_429: upstashError(429, "ERR max requests limit exceeded"),
  http_500: upstashError(500, "ERR internal error"),
  http_500_after: async (struck) => {
    await struck.call.forward();
    await upstashError(500, "ERR internal error")(struck);
  },
  empty_body: async ({ call }) => {
    const { status } = await call.forward();
    await call.answer({ status, content: "" });
  },
  truncated_body: async ({ call }) => {
    const { status, headers, content } = await call.forward();
    await call.answer({ status, headers, content: content.subarray(0, content.length / 2) });
  },
} satisfies Record<string, Treatment>;

export const REDIS_WEIGHTS = {
  ...NETWORK_WEIGHTS,
  reset_after: 2,
  http_429: 1,
  http_500: 1,
  http_500_after: 1,
  empty_body: 1,
  truncated_body: 1,
} satisfies Record<keyof typeof REDIS_FAULTS, number>;

/** An error as EventBridge Scheduler's REST-JSON protocol carries it. */
const schedulerError = (status: number, type: string, message: string): Treatment => {
  const headers = { "content-type": "application/json", "x-amzn-errortype": type };
  return ({ call }) => call.answer({ status, headers, content: JSON.stringify({ Message: message }) });
};

const conflict = schedulerError(409, "ConflictException", "Schedule already exists.");

export const SCHEDULER_FAULTS = {
  ...NETWORK_FAULTS,
  throttled: schedulerError(429, "ThrottlingException", "Rate exceeded"),
  failed: schedulerError(500, "InternalServerException", "Internal failure"),
  failed_after: async (struck) => {
    await struck.call.forward();
    await schedulerError(500, "InternalServerException", "Internal failure")(struck);
  },
  /** As when an attempt whose reply was lost made the schedule. */
  conflict: async (struck) => {
    await struck.call.forward();
    await conflict(struck);
  },
} satisfies Record<string, Treatment>;

export const SCHEDULER_WEIGHTS = {
  ...NETWORK_WEIGHTS,
  throttled: 2,
  failed: 1,
  failed_after: 1,
  conflict: 1,
  ...INSTANCE_WEIGHTS,
} satisfies Record<keyof typeof SCHEDULER_FAULTS | keyof typeof INSTANCE_WEIGHTS, number>;

const status = (code: number): Treatment => {
  return ({ call }) => call.answer({ status: code, content: "" });
};

/** The inventory's own answer, with something else in the place of some of it. */
const garbled = (find: RegExp, replacement: string): Treatment => {
  return async ({ call }) => {
    const { content } = await call.forward();
    await call.answer({ status: 200, content: content.toString().replace(find, replacement) });
  };
};

export const INVENTORY_FAULTS = {
  ...NETWORK_FAULTS,
  http_404: status(404),
  http_500: status(500),
  page: ({ call }) => call.answer({ status: 200, content: "<html>Back soon</html>" }),
  other_product: garbled(/chaos-/, "other-"),
  price_in_quotes: garbled(/("price":)([\d.]+)/, '$1"$2"'),
  three_decimals: garbled(/("price":)[\d.]+/, "$119.999"),
  truncated_body: async ({ call }) => {
    const { content } = await call.forward();
    await call.answer({ status: 200, content: content.subarray(0, content.length / 2) });
  },
} satisfies Record<string, Treatment>;

export const INVENTORY_WEIGHTS = {
  ...NETWORK_WEIGHTS,
  http_404: 1,
  http_500: 1,
  page: 1,
  other_product: 1,
  price_in_quotes: 1,
  three_decimals: 1,
  truncated_body: 1,
  ...INSTANCE_WEIGHTS,
} satisfies Record<keyof typeof INVENTORY_FAULTS | keyof typeof INSTANCE_WEIGHTS, number>;
