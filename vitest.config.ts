import { readFile } from "node:fs/promises";
import { configDefaults, defineConfig } from "vitest/config";

/** Vite's twin of the esbuild loader in serverless.yml: both make a text file the default export of its module. */
const textFiles = {
  name: "text-files",
  enforce: "pre" as const,
  async load(id: string) {
    if (!/\.(lua|yaml)$/.test(id)) return null;
    return `export default ${JSON.stringify(await readFile(id, "utf8"))};`;
  },
};

/** Runs alone, when all others have ended: what runs beside it would be measured too. */
const BENCH = "test/bench/bench.test.ts";

export default defineConfig({
  plugins: [textFiles],
  test: {
    globalSetup: ["test/support/global-setup.ts"],
    env: { POWERTOOLS_METRICS_DISABLED: "true" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["test/**/*.test.ts"], exclude: [...configDefaults.exclude, BENCH] },
      },
      // Groups run one after the other (https://vitest.dev/config/sequence.html#sequence-grouporder).
      { extends: true, test: { name: "bench", include: [BENCH], sequence: { groupOrder: 1 } } },
    ],
  },
});
