import { NETWORK_FAULTS, NETWORK_WEIGHTS, type Treatment } from "./call-faults.ts";

const error = (status: number, message: string): Treatment => {
  return ({ call }) =>
    call.answer({
      status,
      headers: { "content-type": "application/json" },
      content: JSON.stringify({ error: message }),
    });
};

export const REDIS_FAULTS = {
  ...NETWORK_FAULTS,
  http_429: error(429, "ERR max requests limit exceeded"),
  http_500: error(500, "ERR internal error"),
  http_500_after: async (struck) => {
    await struck.call.forward();
    await error(500, "ERR internal error")(struck);
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
