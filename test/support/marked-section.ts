/** The lines of a page between which a command writes. */
export interface Marks {
  readonly begin: string;
  readonly end: string;
}

/** The page with `text` between the marks, and all else as it was. @throws Error when the page has no such lines */
export function withSection(page: string, marks: Marks, text: string): string {
  const { before, after } = around(page, marks);
  return `${before}${marks.begin}\n\n${text}\n\n${marks.end}${after}`;
}

/** What is between the marks, without the empty lines around it. @throws Error when the page has no such lines */
export function sectionIn(page: string, marks: Marks): string {
  const { before, after } = around(page, marks);
  return page.slice(before.length + marks.begin.length, page.length - after.length - marks.end.length).trim();
}

function around(page: string, { begin, end }: Marks): { before: string; after: string } {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no lines ${begin} and ${end}`);
  return { before: page.slice(0, from), after: page.slice(to + end.length) };
}
