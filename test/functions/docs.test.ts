import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Bundle, bundle } from "../support/bundle.ts";
import { httpEvent } from "../support/http-event.ts";
import { lambdaContext } from "../support/lambda-context.ts";
import { useLogLines } from "../support/log-lines.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";

/** Vitest cannot load a script of a package as text, so the function is tested as it is deployed. */
const DocsModule = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });
const Reply = z.object({ statusCode: z.number(), headers: z.record(z.string(), z.string()), body: z.string() });

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

const log = useLogLines();
let built: Bundle | undefined;
let handler: Handler | undefined;

beforeAll(async () => {
  built = await bundle("functions/docs.ts");
  ({ handler } = DocsModule.parse(await import(built.path)));
});
afterAll(() => built?.[Symbol.asyncDispose]());

async function get(path: string) {
  const asset = /^\/docs\/(.+)$/.exec(path)?.[1];
  const event = httpEvent({
    routeKey: asset === undefined ? `GET ${path}` : "GET /docs/{asset}",
    method: "GET",
    path,
    ...(asset !== undefined && { pathParameters: { asset } }),
  });
  return Reply.parse(await handler?.(event, lambdaContext("docs")));
}

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
const swaggerUi = (name: string) => readFile(createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`), "utf8");

test("the page and everything it names is served by the function itself", async () => {
  const page = await get("/docs");

  expect(page).toMatchObject({ statusCode: 200, headers: { "content-type": "text/html; charset=utf-8" } });
  const named = [...page.body.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, url]) => url ?? "");
  expect(named).toHaveLength(3);
  for (const url of named) {
    const { pathname, origin } = new URL(url, "https://orders.example/docs");
    expect(origin).toBe("https://orders.example");
    expect(await get(pathname)).toMatchObject({ statusCode: 200 });
  }
});

test("openapi.yaml is served as it is in the project", async () => {
  expect(await get("/openapi.yaml")).toMatchObject({
    statusCode: 200,
    headers: { "content-type": "application/yaml" },
    body: await file("openapi.yaml"),
  });
});

test("the assets are those of Swagger UI, with the types that browsers ask for", async () => {
  expect(await get("/docs/swagger-ui-bundle.js")).toMatchObject({
    headers: { "content-type": "text/javascript; charset=utf-8" },
    body: await swaggerUi("swagger-ui-bundle.js"),
  });
  expect(await get("/docs/swagger-ui.css")).toMatchObject({
    headers: { "content-type": "text/css; charset=utf-8" },
    body: await swaggerUi("swagger-ui.css"),
  });
  expect(await get("/docs/initializer.js")).toMatchObject({
    headers: { "content-type": "text/javascript; charset=utf-8" },
    body: await file("lib/docs/initializer.js"),
  });
});

test("the page may load nothing from elsewhere and run no inline script", async () => {
  const { headers, body } = await get("/docs");

  const policy = headers["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toMatch(/script-src 'self'(;|$)/);
  expect(policy).toContain("frame-ancestors 'none'");
  expect(headers).toMatchObject({ "x-content-type-options": "nosniff" });
  expect(body).not.toMatch(/<script(?![^>]*src=)/);
});

test.for(["swagger-ui.js", "page.html", "..", "../openapi.yaml", "%2e%2e", "__proto__", "constructor"])(
  "/docs/%s: 404",
  async (asset) => {
    const reply = await get(`/docs/${asset}`);

    expectProblem({ ...reply, body: JSON.parse(reply.body) }, 404, "route-not-found");
    expectRefusalLogged(log, "route_not_found", 404, "GET /docs/{asset}");
  },
);
