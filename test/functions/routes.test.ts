import { describe, expect, test } from "vitest";
import { ROUTES } from "../../lib/http/routes.ts";
import { OPERATIONS } from "../support/contract.ts";
import { readServerlessYml } from "../support/serverless-yml.ts";

const DEFAULT_ROUTE = "*";

/** The functions whose routes are no part of the API: what describes it, and what takes no route. */
const BESIDE_THE_API = ["docs", "unknownRoute"];

const ROUTE_KEYS = Object.entries(ROUTES).flatMap(([path, methods]) => methods.map((method) => `${method} ${path}`));

async function httpRoutes(counts: (functionName: string) => boolean = () => true): Promise<string[]> {
  const { functions } = await readServerlessYml();
  const counted = Object.entries(functions).filter(([name]) => counts(name));
  const events = counted.flatMap(([, definition]) => definition.events);
  return events.flatMap((event) => ("httpApi" in event ? [event.httpApi] : [])).toSorted();
}

describe("the routes that the functions know", () => {
  test("are those that API Gateway has, and one function takes all others", async () => {
    expect(await httpRoutes()).toEqual([...ROUTE_KEYS, DEFAULT_ROUTE].toSorted());
  });

  test("are the operations of openapi.yaml and their HEAD, except those of the document itself", async () => {
    const heads = OPERATIONS.filter((route) => route.startsWith("GET ")).map((route) => route.replace("GET", "HEAD"));

    expect(await httpRoutes((name) => !BESIDE_THE_API.includes(name))).toEqual([...OPERATIONS, ...heads].toSorted());
  });

  test("have HEAD wherever they have GET", () => {
    for (const methods of Object.values(ROUTES)) expect(methods.includes("HEAD")).toBe(methods.includes("GET"));
  });
});
