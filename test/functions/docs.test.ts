import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { type Bundle, bundle } from "../../lab/lambda-host/build.ts";
import { lambdaContext } from "../../lab/lambda-host/context.ts";
import { httpEvent } from "../../lab/lambda-host/events.ts";
import { useLogLines } from "../support/log-lines.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

const DocsModule = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });

const DocsReply = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.string().default(""),
  isBase64Encoded: z.boolean().default(false),
});

const log = useLogLines();
let built: Bundle;
let handler: Handler;

/** The function `docs` as it is deployed: what it serves is made by the build, which Vitest's loader does not do. */
beforeAll(async () => {
  built = await bundle("functions/docs.ts");
  ({ handler } = DocsModule.parse(await import(built.path)));
});
afterAll(() => built[Symbol.dispose]());

const invoke = async (event: unknown) => DocsReply.parse(await handler(event, lambdaContext("docs")));

/** @param headers with lower-case names */
async function get(path: string, headers: Record<string, string> = {}) {
  const asset = /^\/docs\/(.+)$/.exec(path)?.[1];
  const routeKey = asset === undefined ? `GET ${path}` : "GET /docs/{asset}";
  const pathParameters = asset === undefined ? {} : { pathParameters: { asset } };
  return invoke(httpEvent({ routeKey, method: "GET", path, headers, ...pathParameters }));
}

/** The paths of what the page loads, in its order: the style sheet, Swagger UI, what starts it. */
async function namedByPage(): Promise<string[]> {
  const { body } = await get("/docs");
  const urls = [...body.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, url]) => url ?? "");
  return urls.map((url) => {
    const { pathname, origin } = new URL(url, "https://orders.example/docs");
    expect(origin).toBe("https://orders.example");
    return pathname;
  });
}

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url));

const swaggerUi = (name: string) => readFile(createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`));

const PARTS = [
  ["text/css; charset=utf-8", () => swaggerUi("swagger-ui.css")],
  ["text/javascript; charset=utf-8", () => swaggerUi("swagger-ui-bundle.js")],
  ["text/javascript; charset=utf-8", () => file("lib/docs/initializer.js")],
] as const;

test("what the page names is served by the function itself, to be kept for a year, under a name of its content", async () => {
  const paths = await namedByPage();

  expect(paths).toHaveLength(PARTS.length);
  for (const [index, [contentType, original]] of PARTS.entries()) {
    const path = paths[index] ?? "";
    const { statusCode, headers, body } = await get(path);
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      "content-type": contentType,
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
    });
    expect(body).toBe((await original()).toString());
    const fingerprint = createHash("sha256").update(body).digest("hex").slice(0, 16);
    expect(path).toMatch(new RegExp(`^/docs/[\\w-]+\\.${fingerprint}\\.(css|js)$`));
  }
});

test.for(["/", "/docs", "/openapi.yaml", "/openapi.json", "/asyncapi.yaml"])(
  "HEAD %s gets what GET gets, without the body",
  async (path) => {
    const headers = { "accept-encoding": "br" };
    const { body, isBase64Encoded, ...reply } = await get(path, headers);

    const head = await invoke(httpEvent({ routeKey: `HEAD ${path}`, method: "HEAD", path, headers }));

    const length = Buffer.byteLength(body, isBase64Encoded ? "base64" : "utf8");
    const sized = body === "" ? reply.headers : { ...reply.headers, "content-length": String(length) };
    expect(head).toEqual({ statusCode: reply.statusCode, headers: sized, body: "", isBase64Encoded: false });
  },
);

test.for(["openapi.yaml", "asyncapi.yaml"])("%s is served as it is in the project", async (name) => {
  expect(await get(`/${name}`)).toMatchObject({
    statusCode: 200,
    headers: { "content-type": "application/yaml", "cache-control": "no-cache" },
    body: (await file(name)).toString(),
  });
});

test("openapi.json is the same document", async () => {
  const { headers, body } = await get("/openapi.json");

  expect(headers).toMatchObject({ "content-type": "application/json" });
  expect(JSON.parse(body)).toEqual(parse((await file("openapi.yaml")).toString()));
});

test.for([
  ["/", "https://orders.example/", "https://orders.example/docs"],
  ["/dev/", "https://orders.example/dev/", "https://orders.example/dev/docs"],
  ["/shop/v1", "https://orders.example/shop/v1", "https://orders.example/shop/v1/docs"],
  ["//evil.example", "https://orders.example//evil.example", "https://orders.example//evil.example/docs"],
] as const)("the root at %s leads to the docs page there", async ([rawPath, asked, expected]) => {
  const event = { ...httpEvent({ routeKey: "GET /", method: "GET", path: "/" }), rawPath };

  const { statusCode, headers } = await invoke(event);

  expect(statusCode).toBe(302);
  expect(headers.location).toMatch(/^\.\//);
  expect(new URL(headers.location ?? "", asked).href).toBe(expected);
});

test("the page is asked for each time, may load nothing from elsewhere and run no inline script", async () => {
  const { statusCode, headers, body } = await get("/docs");

  expect(statusCode).toBe(200);
  expect(headers).toMatchObject({ "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" });
  const policy = headers["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toMatch(/script-src 'self'(;|$)/);
  expect(policy).toContain("frame-ancestors 'none'");
  expect(headers).toMatchObject({ "x-content-type-options": "nosniff" });
  expect(body).not.toMatch(/<script(?![^>]*src=)/);
});

test("the page knows whether the stage requires tokens", async () => {
  vi.stubEnv("ACCESS", "jwt");
  onTestFinished(() => void vi.unstubAllEnvs());
  const ofJwt = DocsModule.parse(await import(`${built.path}?jwt`));

  const { body } = DocsReply.parse(
    await ofJwt.handler(httpEvent({ routeKey: "GET /docs", method: "GET", path: "/docs" }), lambdaContext("docs")),
  );

  expect(body).toContain('<body data-access="jwt">');
  expect((await get("/docs")).body).not.toContain('data-access="jwt"');
});

test.for(["swagger-ui.css", "swagger-ui.0123456789abcdef.css", "../openapi.yaml", "__proto__"])(
  "/docs/%s: 404",
  async (asset) => {
    const reply = await get(`/docs/${asset}`);

    expectProblem({ ...reply, body: JSON.parse(reply.body) }, 404, "route-not-found");
    expectRefusalLogged(log, "route_not_found", 404, "GET /docs/{asset}");
  },
);

describe("compression", () => {
  /** Lambda's limit for a reply, in bytes (Lambda developer guide, "Lambda quotas"). */
  const MAX_REPLY_BYTES = 6 * 1024 * 1024;

  const UNPACK: Record<string, (packed: Buffer) => Buffer> = { br: brotliDecompressSync, gzip: gunzipSync };

  test.for<[string, string | undefined]>([
    ["gzip, deflate, br, zstd", "br"],
    ["br;q=0.5, gzip", "br"],
    ["GZip", "gzip"],
    ["gzip, br;q=0", "gzip"],
    ["identity", undefined],
    ["", undefined],
  ])("a client that accepts %o gets %s", async ([accepted, coding]) => {
    const { headers, body, isBase64Encoded } = await get("/openapi.yaml", { "accept-encoding": accepted });

    expect(headers["content-encoding"]).toBe(coding);
    expect(headers).toMatchObject({ vary: "accept-encoding" });
    expect(isBase64Encoded).toBe(coding !== undefined);
    const content = coding ? UNPACK[coding]?.(Buffer.from(body, "base64")) : Buffer.from(body);
    expect(content).toEqual(await file("openapi.yaml"));
  });

  test("every reply is well below Lambda's limit, and to a browser below a tenth of the limit", async () => {
    for (const path of [...(await namedByPage()), "/openapi.json"]) {
      expect((await get(path)).body.length).toBeLessThan(MAX_REPLY_BYTES / 3);
      for (const coding of ["br", "gzip"]) {
        expect((await get(path, { "accept-encoding": coding })).body.length).toBeLessThan(MAX_REPLY_BYTES / 9);
      }
    }
  });
});
