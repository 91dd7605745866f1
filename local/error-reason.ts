/**
 * The innermost reason of an error, in one line for people: the message of fetch says only that it failed, and a connection
 * refused on every address of a host is an AggregateError without a message.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}
