import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { ROUTES } from "../../lib/http/routes.ts";
import { readServerlessYml } from "../support/serverless-yml.ts";

const DEFAULT_ROUTE = "*";

const OpenApi = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

const ROUTE_KEYS = Object.entries(ROUTES).map(([path, method]) => `${method} ${path}`);

async function httpRoutes(): Promise<string[]> {
  const { functions } = await readServerlessYml();
  const events = Object.values(functions).flatMap((definition) => definition.events);
  return events.flatMap((event) => ("httpApi" in event ? [event.httpApi] : []));
}

describe("the routes that the functions know", () => {
  test("are those that API Gateway has, and one function takes all others", async () => {
    expect((await httpRoutes()).toSorted()).toEqual([...ROUTE_KEYS, DEFAULT_ROUTE].toSorted());
  });

  test("include every operation that openapi.yaml describes", async () => {
    const text = await readFile(new URL("../../openapi.yaml", import.meta.url), "utf8");
    const operations = Object.entries(OpenApi.parse(parse(text)).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );

    expect(operations.length).toBeGreaterThan(0);
    expect(ROUTE_KEYS).toEqual(expect.arrayContaining(operations));
  });
});
