const BEGIN = "<!-- What `npm run cost -- --write` wrote. -->";
const END = "<!-- End of what it wrote. -->";

/** @throws Error when the page has no place for it */
export function withTables(page: string, tables: string): string {
  const { before, after } = parts(page);
  return `${before}${BEGIN}\n\n${tables}\n\n${END}${after}`;
}

/** What is between the marks. */
export function tablesIn(page: string): string {
  const { before, after } = parts(page);
  return page.slice(before.length + BEGIN.length, page.length - after.length - END.length).trim();
}

function parts(page: string): { before: string; after: string } {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The page has no lines "${BEGIN}" and "${END}"`);
  return { before: page.slice(0, begin), after: page.slice(end + END.length) };
}
