import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { rebuild } from "../support/rebuild.ts";
import type { Rules } from "./form.ts";

const HANDLERS = {
  createOrder: "create-order",
  getOrder: "get-order",
  docs: "docs",
  unknownRoute: "unknown-route",
  completeOrder: "complete-order",
  drainRefunds: "drain-refunds",
  sweepOrders: "sweep-orders",
};

/** What the docs page shows is a program of its own: for the function it is text, so it is needed to build it only. */
const NEEDED_TO_BUILD: Record<string, readonly string[]> = { docs: ["node_modules/swagger-ui-dist"] };

const DEPLOYED = ["functions", "lib", "openapi.yaml"];

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

export const bundles: Rules = (made) => {
  const bundleOf = (name: string, file: string) => made().files.get(`${name}.zip/functions/${file}.mjs`) ?? "";

  describe("the bundles", () => {
    test("are one file per function, uploaded with its source map and nothing else", () => {
      const zipped = [...made().files.keys()].filter((name) => name.includes(".zip"));
      const files = Object.entries(HANDLERS).flatMap(([name, file]) =>
        ["mjs", "mjs.map"].map((extension) => `${name}.zip/functions/${file}.${extension}`),
      );
      expect(zipped.toSorted()).toEqual(files.toSorted());
    });

    test.for(Object.entries(HANDLERS))(
      "%s holds nothing of local/, of test/ or of packages for development",
      async ([name, file]) => {
        const built = await rebuild(`functions/${file}.ts`);
        // So that what is known of the one is true of the other.
        expect(bundleOf(name, file)).toBe(built.text);
        expect(built.folders).toEqual(expect.arrayContaining(["functions", "lib"]));
        expect(built.folders.filter((folder) => !DEPLOYED.includes(folder))).toEqual([]);
        expect(built.developmentPackages).toEqual(NEEDED_TO_BUILD[name] ?? []);
      },
    );

    test("hold exact decimals and the inventory's client where orders are placed, and nowhere else", async () => {
      for (const [name, file] of Object.entries(HANDLERS)) {
        const { packages } = await rebuild(`functions/${file}.ts`);
        expect(packages.includes("node_modules/big.js")).toBe(name === "createOrder");
        expect(bundleOf(name, file).includes("/products/")).toBe(name === "createOrder");
      }
    });

    test.for(Object.entries(HANDLERS))("%s is minified", ([name, file]) => {
      // esbuild begins each module that it does not minify with its path.
      expect(bundleOf(name, file)).not.toMatch(/^\/\/ (functions|lib|node_modules)\//m);
    });

    test.for(Object.entries(HANDLERS))(
      "%s is a module whose handler Lambda's Node 24 takes: it has no callback",
      async ([name, file]) => {
        const folder = await mkdtemp(join(tmpdir(), "orders-bundle-"));
        onTestFinished(() => rm(folder, { recursive: true, force: true }));
        await writeFile(join(folder, "function.mjs"), bundleOf(name, file));
        for (const [variable, value] of Object.entries(ENVIRONMENT)) vi.stubEnv(variable, value);
        onTestFinished(() => void vi.unstubAllEnvs());

        const { handler } = Module.parse(await import(join(folder, "function.mjs")));

        expect(handler.length).toBeLessThan(3);
      },
    );
  });
};
