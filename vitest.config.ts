import { readFile } from "node:fs/promises";
import { defineConfig } from "vitest/config";
import { bypassProxyForLoopback } from "./local/proxy.ts";
import { forgetAwsSettings } from "./local/settings.ts";

// What a test needs, it sets: the shell's profile, endpoints, proxy and colours are of no concern to it.
forgetAwsSettings(process.env);
bypassProxyForLoopback();
delete process.env.NODE_USE_ENV_PROXY;
delete process.env.FORCE_COLOR;

/** Vite's twin of the esbuild loader in serverless.yml: both make a text file the default export of its module. */
const textFiles = {
  name: "text-files",
  enforce: "pre" as const,
  async load(id: string) {
    if (!/\.(lua|yaml)$/.test(id)) return null;
    return `export default ${JSON.stringify(await readFile(id, "utf8"))};`;
  },
};

export default defineConfig({
  plugins: [textFiles],
  test: {
    env: { POWERTOOLS_METRICS_DISABLED: "true" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 6,
    exclude: ["**/node_modules/**", "packages/*/dist/**"],
    // A figure, not a threshold: of what the tests load themselves, not of the bundles and scripts that they run.
    coverage: {
      enabled: Boolean(process.env.CI),
      provider: "v8",
      include: ["functions/**/*.ts", "lib/**/*.ts"],
      reporter: ["text-summary"],
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{lab,packages,test}/**/*.test.ts"],
          exclude: ["test/e2e/**"],
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
      {
        extends: true,
        test: { name: "end to end", include: ["test/e2e/**/*.test.ts"], globalSetup: ["test/e2e/setup.ts"] },
      },
    ],
  },
});
