import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { recordedSizes } from "./bundle-sizes.ts";
import { CHARTS } from "./charts/charts.ts";
import { rounded } from "./row.ts";
import { withSpeedSection } from "./speed-section.ts";
import { DOCS_FOLDER, readResults } from "./write-results.ts";

describe("what the README shows of the bench", () => {
  test("is docs/bench/results.json, of a full run, as `npm run bench -- --render` writes it", async () => {
    const results = await readResults(DOCS_FOLDER);
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    expect(results.form).toBe("full");
    expect(readme).toBe(withSpeedSection(readme, results));
  });

  test("is of bundles of the size that they have", async () => {
    const { rows } = await readResults(DOCS_FOLDER);
    const shown = rows.filter(({ group }) => group === "bundles").map(({ name, subject }) => [name, subject]);
    const kb = Object.entries(await recordedSizes()).map(([name, bytes]) => [name, rounded(bytes / 1_024)]);
    expect(Object.fromEntries(shown), "run npm run bench").toEqual(Object.fromEntries(kb));
  });

  test.for(CHARTS)("$file is drawn from it, opaque and without scripts", async ({ file, svg }) => {
    const { rows } = await readResults(DOCS_FOLDER);
    const picture = await readFile(join(DOCS_FOLDER, file), "utf8");
    expect(picture).toBe(svg(rows));
    expect(picture).toMatch(
      /^<svg [^>]*>\s*<title>[^<]+<\/title>\s*<rect [^>]*fill="(#ffffff|#fff|white|rgb\(255,255,255\))"/,
    );
    expect(picture).not.toMatch(/<script|on\w+=|href=/);
  });

  test("a README without a place for it is refused, not left alone", async () => {
    const results = await readResults(DOCS_FOLDER);
    expect(() => withSpeedSection("# Order service\n", results)).toThrow("The page has no lines");
  });
});
