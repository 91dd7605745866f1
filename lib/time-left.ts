/** How long the running invocation may still take, in ms: what Lambda's `context.getRemainingTimeInMillis` says. */
export type TimeLeft = () => number;
