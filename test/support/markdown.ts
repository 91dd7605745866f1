/**
 * The anchors that GitHub gives the headings of a page: lower case, blanks to hyphens, all but letters, digits, hyphens and
 * underscores dropped; what is in a code block is no heading.
 */
export function anchorsOf(markdown: string): string[] {
  return [...prose(markdown).matchAll(/^#+ +(.+)$/gm)].map(([, heading = ""]) =>
    heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The targets of the links and pictures of a page, but for those in code. */
export function linksOf(markdown: string): string[] {
  const text = prose(markdown).replaceAll(/`[^`\n]*`/g, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/**
 * The cells of the rows of the first table whose header begins with the names given, without the header.
 * @throws Error when there is no such table
 */
export function tableOf(markdown: string, ...header: string[]): string[][] {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${header.join(" | ")} |`));
  if (start < 0) throw new Error(`There is no table with the columns ${header.join(", ")}`);
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith("|"));
  return rest.slice(0, end < 0 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** What stands between backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}

/** The contents of the fenced blocks of a language. */
export function blocksOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].flatMap(([, name, text = ""]) =>
    name === language ? text : [],
  );
}

function prose(markdown: string): string {
  return markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, "");
}
