import { readFile, writeFile } from "node:fs/promises";

const RESULTS = /(?<=<!-- results -->\n)[\s\S]*(?=<!-- end of results -->)/;

/**
 * Writes the results of a run into a page, between the two comments that mark them.
 * @param page its name in docs/
 * @throws Error when the page has no such comments
 */
export async function writeResults(page: string, results: string): Promise<void> {
  const file = new URL(`../docs/${page}`, import.meta.url);
  const text = await readFile(file, "utf8");
  if (!RESULTS.test(text)) throw new Error(`docs/${page} has no place for the results`);
  await writeFile(
    file,
    text.replace(RESULTS, () => `\n${results}\n\n`),
  );
}
