/**
 * A copy of an error that is safe to log: names and messages of its whole cause chain, and no other property. Errors of
 * HTTP clients carry requests and replies in theirs.
 */
export function redacted(error: unknown): Error {
  if (!(error instanceof Error)) return new Error("Something was thrown that is not an error");
  const cause = error.cause === undefined ? undefined : { cause: redacted(error.cause) };
  const safe = new Error(messageOf(error), cause);
  safe.name = error.name;
  return safe;
}

function messageOf(error: Error): string {
  // The JSON parser quotes the text around its mistake.
  if (error instanceof SyntaxError) return "Not JSON";
  // What connecting to a name with several addresses throws: only its parts have a message.
  if (error instanceof AggregateError) return error.errors.map((part) => redacted(part).message).join("; ");
  return error.message;
}
