import { afterAll, beforeAll, expect } from "vitest";
import { z } from "zod";
import { type Bundle, bundle } from "./bundle.ts";
import { httpEvent, lambdaContext } from "./functions.ts";

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

const DocsModule = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });

const DocsReply = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.string().default(""),
  isBase64Encoded: z.boolean().default(false),
});
export type DocsReply = z.infer<typeof DocsReply>;

export interface DocsFunction {
  invoke(event: unknown): Promise<DocsReply>;
  /** @param headers with lower-case names */
  get(path: string, headers?: Record<string, string>): Promise<DocsReply>;
  /** The paths of what the page loads, in its order: the style sheet, Swagger UI, what starts it. */
  namedByPage(): Promise<string[]>;
}

/** The function `docs` as it is deployed: what it serves is made by the build, which Vitest's loader does not do. */
export function useDocsFunction(): DocsFunction {
  let built: Bundle | undefined;
  let handler: Handler | undefined;

  beforeAll(async () => {
    built = await bundle("functions/docs.ts");
    ({ handler } = DocsModule.parse(await import(built.path)));
  });
  afterAll(() => built?.[Symbol.asyncDispose]());

  async function invoke(event: unknown): Promise<DocsReply> {
    return DocsReply.parse(await handler?.(event, lambdaContext("docs")));
  }

  async function get(path: string, headers: Record<string, string> = {}): Promise<DocsReply> {
    const asset = /^\/docs\/(.+)$/.exec(path)?.[1];
    const routeKey = asset === undefined ? `GET ${path}` : "GET /docs/{asset}";
    const pathParameters = asset === undefined ? {} : { pathParameters: { asset } };
    return invoke(httpEvent({ routeKey, method: "GET", path, headers, ...pathParameters }));
  }

  async function namedByPage(): Promise<string[]> {
    const { body } = await get("/docs");
    const urls = [...body.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, url]) => url ?? "");
    return urls.map((url) => {
      const { pathname, origin } = new URL(url, "https://orders.example/docs");
      expect(origin).toBe("https://orders.example");
      return pathname;
    });
  }

  return { invoke, get, namedByPage };
}
