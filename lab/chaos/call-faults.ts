import { setTimeout as wait } from "node:timers/promises";
import type { Instance } from "../lambda-host/instance.ts";
import type { Call } from "./proxy.ts";

/** How long an instance is frozen between two of its events. */
const FROZEN_MS = 200;

/** Slow, but within what any caller waits. */
const SLOW_MS = 700;

/** A call on its way, which a fault may hit. */
interface InterceptedCall {
  readonly call: Call;
  /** The instance that made it; undefined once it has died. */
  readonly instance: Instance | undefined;
}

/** What happens to a call. */
export type Treatment = (intercepted: InterceptedCall) => Promise<void>;

export async function passOn({ call }: Pick<InterceptedCall, "call">): Promise<void> {
  await call.answer(await call.forward());
}

/** The server handles the call, and then `treatment` replaces its reply. */
const after = (treatment: Treatment): Treatment => {
  return async (intercepted) => {
    await intercepted.call.forward();
    await treatment(intercepted);
  };
};

const reply = (status: number, content: string, headers: Readonly<Record<string, string>> = {}): Treatment => {
  return ({ call }) => call.answer({ status, headers, content });
};

/** The server's own reply, with its content changed. */
const garbled = (garble: (content: Buffer) => Buffer | string): Treatment => {
  return async ({ call }) => {
    const { status, headers, content } = await call.forward();
    await call.answer({ status, headers, content: garble(content) });
  };
};

const reset: Treatment = async ({ call }) => call.reset();
const hold: Treatment = ({ call }) => call.hold();
const truncated = garbled((content) => content.subarray(0, content.length / 2));

/** What can go wrong with a call on its way to an HTTP server and back; `_after` is after the server handled it. */
const NETWORK_FAULTS = {
  refused: ({ call }) => call.refuse(),
  reset_before: reset,
  reset_after: after(reset),
  half_reply: async ({ call }) => call.answerHalf(await call.forward()),
  /** The reply arrives, then the kept connection ends. */
  closed_after: async (intercepted) => {
    await passOn(intercepted);
    intercepted.call.close();
  },
  timeout_before: hold,
  timeout_after: after(hold),
  slow: async (intercepted) => {
    await wait(SLOW_MS);
    await passOn(intercepted);
  },
} satisfies Record<string, Treatment>;

const kill: Treatment = async ({ instance, call }) => {
  instance?.kill();
  call.reset();
};

/** What can happen to the instance that makes the call. */
export const INSTANCE_FAULTS = {
  killed_before_call: kill,
  killed_during_call: after(kill),
  killed_after_call: async (intercepted) => {
    await passOn(intercepted);
    intercepted.instance?.kill();
  },
  /** It wakes after the server has closed its connection. */
  frozen_for_a_while: async (intercepted) => {
    await passOn(intercepted);
    intercepted.instance?.freeze();
    intercepted.call.close();
    await wait(FROZEN_MS);
    intercepted.instance?.thaw();
  },
  frozen: async (intercepted) => {
    intercepted.instance?.freeze();
    await after(hold)(intercepted);
  },
} satisfies Record<string, Treatment>;

/** A frozen instance is busy until its time-out. */
export const RARE = { frozen: 0.1 };

const upstashError = (status: number, error: string): Treatment =>
  reply(status, JSON.stringify({ error }), { "content-type": "application/json" });

export const REDIS_FAULTS = {
  ...NETWORK_FAULTS,
  http_429: upstashError(429, "ERR max requests limit exceeded"),
  http_500: upstashError(500, "ERR internal error"),
  http_500_after: after(upstashError(500, "ERR internal error")),
  empty_body: garbled(() => ""),
  truncated_body: truncated,
} satisfies Record<string, Treatment>;

/** An error as EventBridge Scheduler's REST-JSON protocol carries it. */
const schedulerError = (status: number, type: string, Message: string): Treatment =>
  reply(status, JSON.stringify({ Message }), { "content-type": "application/json", "x-amzn-errortype": type });

const failed = schedulerError(500, "InternalServerException", "Internal failure");

export const SCHEDULER_FAULTS = {
  ...NETWORK_FAULTS,
  throttled: schedulerError(429, "ThrottlingException", "Rate exceeded"),
  failed,
  failed_after: after(failed),
  /** As when an attempt whose reply was lost made the schedule. */
  conflict: after(schedulerError(409, "ConflictException", "Schedule already exists.")),
} satisfies Record<string, Treatment>;

const text = (replace: (text: string) => string) => garbled((content) => replace(content.toString()));

export const INVENTORY_FAULTS = {
  ...NETWORK_FAULTS,
  http_404: reply(404, ""),
  http_500: reply(500, ""),
  page: reply(200, "<html>Back soon</html>"),
  other_product: text((json) => json.replace("chaos-", "other-")),
  price_in_quotes: text((json) => json.replace(/("price":)([\d.]+)/, '$1"$2"')),
  three_decimals: text((json) => json.replace(/("price":)[\d.]+/, "$119.999")),
  truncated_body: truncated,
} satisfies Record<string, Treatment>;
