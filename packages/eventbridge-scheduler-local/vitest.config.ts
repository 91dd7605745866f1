import { defineConfig } from "vitest/config";

/** For the tests of this package alone. The repository's own configuration runs them too. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 4,
  },
});
