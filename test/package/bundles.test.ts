import { expect, test } from "vitest";
import { readServerlessYml } from "../support/bundle.ts";
import { rebuild } from "./rebuild.ts";

const KB = 1_024;

/** In KB, minified: what a cold start reads and parses. The docs function holds the docs page. */
const BUDGETS: Readonly<Record<string, number>> = { createOrder: 400, docs: 1_400 };
const BUDGET = 220;

/** The docs page is text for its function: the package is needed only to build it. */
const NEEDED_TO_BUILD: Readonly<Record<string, readonly string[]>> = { docs: ["node_modules/swagger-ui-dist"] };

const { functions } = await readServerlessYml();

test.for(Object.entries(functions))(
  "%s is small, minified, and made of deployed code only",
  async ([name, { handler }]) => {
    const { text, folders, packages, developmentPackages } = await rebuild(handler.replace(".handler", ".ts"));

    expect(folders).toEqual(expect.arrayContaining(["functions", "lib"]));
    expect(folders.filter((folder) => !["functions", "lib", "openapi.yaml", "asyncapi.yaml"].includes(folder))).toEqual(
      [],
    );
    expect(developmentPackages).toEqual(NEEDED_TO_BUILD[name] ?? []);
    // Only orders that are placed have prices.
    expect(packages.includes("node_modules/big.js")).toBe(name === "createOrder");
    expect(text.includes("/products/")).toBe(name === "createOrder");
    // esbuild begins each module that it does not minify with its path.
    expect(text).not.toMatch(/^\/\/ (functions|lib|node_modules)\//m);
    expect(Buffer.byteLength(text) / KB).toBeLessThan(BUDGETS[name] ?? BUDGET);
  },
);
