/** Names the ids that are no dead letter's, one a line. True when there is none. */
export function reportUnknown(ids: readonly string[]): boolean {
  for (const id of ids) process.stderr.write(`There is no dead letter ${id}\n`);
  return ids.length === 0;
}
