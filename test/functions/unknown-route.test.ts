import { describe, expect, test } from "vitest";
import { declaredFunctions } from "../../infra/serverless-yml.ts";
import { OPERATIONS } from "../../lab/contract.ts";
import { lambdaContext } from "../../lab/lambda-host/context.ts";
import { httpEvent } from "../../lab/lambda-host/events.ts";
import { ROUTES } from "../../lib/http/routes.ts";
import { setHandlerEnv, useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const request = (method: string, path: string) =>
  functions.invokeHttp("unknownRoute", httpEvent({ routeKey: "$default", method, path }));

test.for<[string, string]>([
  ["GET", ""],
  ["GET", "/order"],
  ["GET", "/docs/"],
  ["GET", "/orders/01JD7Y4Q2X8WZ5V3T1R9P7N6MB/items"],
  ["GET", "/ORDERS"],
  ["GET", "/__proto__"],
  ["GET", `/${"x".repeat(8_000)}`],
])("%s %s: 404", async ([method, path]) => {
  const reply = await request(method, path);

  expectProblem(reply, 404, "route-not-found");
  expect(reply.headers).not.toHaveProperty("allow");
  expectRefusalLogged(log, "route_not_found", 404, "$default");
  expect(functions.upstash.requests).toEqual([]);
});

test.for<[string, string, string]>([
  ["GET", "/orders", "POST"],
  ["DELETE", "/orders/01JD7Y4Q2X8WZ5V3T1R9P7N6MB", "GET, HEAD"],
  ["POST", "/", "GET, HEAD"],
  ["TRACE", "/openapi.yaml", "GET, HEAD"],
])("%s %s: 405, and Allow says %s", async ([method, path, allow]) => {
  const reply = await request(method, path);

  expectProblem(reply, 405, "method-not-allowed");
  expect(reply.headers).toMatchObject({ allow: `${allow}, OPTIONS` });
  expectRefusalLogged(log, "method_not_allowed", 405, "$default");
});

test("where the stage has an address of problem types, each problem has its own", async () => {
  setHandlerEnv("PROBLEM_TYPES_URL", "https://docs.example.com/problems#");
  const { handler } = await import("../../functions/unknown-route.ts");

  const event = httpEvent({ routeKey: "$default", method: "GET", path: "/order" });
  const { body = "" } = await handler(event, lambdaContext("unknownRoute"));

  expect(JSON.parse(body)).toMatchObject({ type: "https://docs.example.com/problems#route-not-found" });
});

test("a browser's preflight for a known path is answered, for API Gateway to add its CORS headers, no other", async () => {
  const reply = await request("OPTIONS", "/orders");

  expect(reply).toEqual({ statusCode: 204, headers: { allow: "POST, OPTIONS" } });
  expect(log.logged).toEqual([]);
  expectProblem(await request("OPTIONS", "/order"), 404, "route-not-found");
});

describe("the routes that the functions know", () => {
  /** The functions whose routes are no part of the API: what describes it, and what takes no route. */
  const BESIDE_THE_API = ["docs", "unknownRoute"];

  function httpRoutes(counts: (functionName: string) => boolean = () => true): string[] {
    const counted = Object.entries(declaredFunctions).filter(([name]) => counts(name));
    const events = counted.flatMap(([, definition]) => definition.events);
    return events.flatMap((event) => ("httpApi" in event ? [event.httpApi] : [])).toSorted();
  }

  test("are those that API Gateway has, with HEAD wherever they have GET, and one function takes all others", async () => {
    const known = Object.entries(ROUTES).flatMap(([path, methods]) => methods.map((method) => `${method} ${path}`));

    expect(httpRoutes()).toEqual([...known, "*"].toSorted());
    for (const methods of Object.values(ROUTES)) expect(methods.includes("HEAD")).toBe(methods.includes("GET"));
  });

  test("are the operations of openapi.yaml and their HEAD, except those of the document itself", async () => {
    const heads = OPERATIONS.filter((route) => route.startsWith("GET ")).map((route) => route.replace("GET", "HEAD"));

    expect(httpRoutes((name) => !BESIDE_THE_API.includes(name))).toEqual([...OPERATIONS, ...heads].toSorted());
  });
});
