/**
 * A copy of an error that is safe to log: names and messages of its whole cause chain, and no other property. Errors of
 * HTTP clients carry requests and replies in theirs.
 * @param clean takes out of a message what no log may show
 */
export function redacted(error: unknown, clean: (message: string) => string = (message) => message): Error {
  if (!(error instanceof Error)) return new Error("Something was thrown that is not an error");
  const cause = error.cause === undefined ? undefined : { cause: redacted(error.cause, clean) };
  const safe = new Error(messageOf(error, clean), cause);
  safe.name = error.name;
  return safe;
}

function messageOf(error: Error, clean: (message: string) => string): string {
  // The JSON parser quotes the text around its mistake.
  if (error instanceof SyntaxError) return "Not JSON";
  // What connecting to a name with several addresses throws: only its parts have a message.
  if (error instanceof AggregateError) return error.errors.map((part) => redacted(part, clean).message).join("; ");
  return clean(error.message);
}
