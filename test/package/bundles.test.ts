import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { readServerlessYml } from "../support/bundle.ts";
import { rebuild } from "./rebuild.ts";

const KB = 1_024;

/** In KB, minified: what a cold start reads and parses. The docs function holds the docs page. */
const BUDGETS: Readonly<Record<string, number>> = { createOrder: 400, docs: 1_400 };
const BUDGET = 220;

/** The docs page is text for its function: the package is needed only to build it. */
const NEEDED_TO_BUILD: Readonly<Record<string, readonly string[]>> = { docs: ["node_modules/swagger-ui-dist"] };

/** What the functions read when they are loaded. */
const ENVIRONMENT = {
  UPSTASH_REDIS_REST_URL: "https://database.example.com",
  UPSTASH_REDIS_REST_TOKEN: "token",
  COMPLETED_STREAM_MAX_LENGTH: "120000",
  SCHEDULE_GROUP: "orders-test-completions",
  SCHEDULE_TARGET_ARN: "arn:aws:lambda:eu-central-1:123456789012:function:orders-test-completeOrder",
  SCHEDULE_ROLE_ARN: "arn:aws:iam::123456789012:role/orders-test-schedules",
  SCHEDULE_DEAD_LETTER_ARN: "arn:aws:sqs:eu-central-1:123456789012:orders-test-undelivered",
};

const Module = z.object({ handler: z.custom<(...args: never[]) => unknown>((value) => typeof value === "function") });

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

test.for(Object.entries(functions))(
  "%s has a handler that Lambda's Node 24 accepts: it has no callback",
  async ([, { handler }]) => {
    const folder = await mkdtemp(join(tmpdir(), "orders-bundle-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, `${basename(handler, ".handler")}.mjs`);
    await writeFile(file, (await rebuild(handler.replace(".handler", ".ts"))).text);
    for (const [variable, value] of Object.entries(ENVIRONMENT)) vi.stubEnv(variable, value);
    onTestFinished(() => void vi.unstubAllEnvs());

    const module = Module.parse(await import(file));

    expect(module.handler.length).toBeLessThan(3);
  },
);
