import { parameters } from "./parameters.js";

/** `MAXLEN ~` trims whole nodes, of 100 entries each by default: a smaller bound would mean little. */
const MIN_LENGTH = 1_000;

/** How many entries of `order_completed` the stream keeps at least. */
export const readMaxLength = (resolveVariable) =>
  parameters(resolveVariable).wholeNumber("completedStreamMaxLength", MIN_LENGTH);

/** The environment variable of the functions that complete orders. */
export const maxLength = async ({ resolveVariable }) => String(await readMaxLength(resolveVariable));
