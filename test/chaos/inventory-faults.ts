import { INSTANCE_WEIGHTS, NETWORK_FAULTS, NETWORK_WEIGHTS, type Treatment } from "./call-faults.ts";

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
