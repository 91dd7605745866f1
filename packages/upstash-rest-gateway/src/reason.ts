/**
 * The innermost reason of an error, for a line that a person reads: what fetch throws says only that it failed, and a
 * connection refused on every address of a host is an AggregateError, which says nothing itself.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}
