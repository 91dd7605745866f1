import { setTimeout as wait } from "node:timers/promises";
import pLimit from "p-limit";
import { z } from "zod";

/** RFC 9110 section 8.3 lets a recipient assume this type. */
const UNKNOWN_TYPE = "application/octet-stream";
const JSON_MEDIA_TYPE = /^application\/json\b/i;

const POLL_MS = 20;

/** The part of `provider.httpApi.cors` (infra/api.ts) that is used here. */
const Cors = z.union([
  z.literal(false).transform(() => ({ allowedOrigins: [] })),
  z.object({ allowedOrigins: z.array(z.string()) }),
]);

interface ApiRequest {
  readonly headers: Record<string, string>;
  readonly raw: { readonly req: { readonly rawHeaders: string[] } };
  readonly response: {
    readonly isBoom?: boolean;
    readonly output?: {
      readonly statusCode: number;
      readonly headers: Record<string, unknown>;
      readonly payload: { readonly error: string };
    };
    readonly headers?: Record<string, unknown>;
    /** The body as it is sent. */
    readonly source?: unknown;
  };
}

interface ApiResponse {
  code(status: number): ApiResponse;
  type(mediaType: string): ApiResponse;
  header(name: string, value: string): ApiResponse;
}

interface Toolkit {
  readonly continue: symbol;
  response(body: string): ApiResponse;
}

type RouteHandler = (request: unknown, toolkit: unknown) => unknown;

/** The part of serverless-offline's hapi server that is used here. */
export interface ApiServer {
  readonly info: { readonly started: number };
  table(): readonly { readonly settings: { handler?: unknown } }[];
  ext(event: string, method: (request: ApiRequest, toolkit: Toolkit) => symbol | ApiResponse): void;
}

interface ServerlessOffline {
  internals(): { getApiGatewayServer(): ApiServer };
}

/**
 * Waits for the API's server to listen. serverless-offline has no hook between starting its servers and waiting for a
 * signal, so this polls.
 * @throws Error when serverless-offline is not among the plugins
 */
export async function startedApiServer(plugins: readonly object[]): Promise<ApiServer> {
  const offline = plugins.find(isServerlessOffline);
  if (!offline) throw new Error("The plugin serverless-offline is missing in serverless.yml");
  for (;;) {
    const server = serverOf(offline);
    if (server && server.info.started > 0) return server;
    await wait(POLL_MS);
  }
}

function isServerlessOffline(plugin: object): plugin is ServerlessOffline {
  return "internals" in plugin && typeof plugin.internals === "function";
}

function serverOf(offline: ServerlessOffline): ApiServer | undefined {
  try {
    return offline.internals().getApiGatewayServer();
  } catch {
    // It throws until it has created its server.
    return undefined;
  }
}

/** @returns the origins whose pages may call the API from a browser: those of the parameter `corsOrigins`, as on AWS */
export function allowedOrigins(cors: unknown): readonly string[] {
  return Cors.parse(cors).allowedOrigins;
}

/**
 * Changes events and replies where serverless-offline differs from API Gateway's HTTP API:
 * - it joins duplicate headers with a comma; serverless-offline keeps the last one
 *   (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html);
 * - it never parses a body; serverless-offline changes a body that is a JSON string, `null`, `0` or `false`;
 * - without a Content-Type the function sees `application/octet-stream`, not `application/json`, since an HTTP API adds
 *   none to a request with a body;
 * - every Content-Type reaches the function, even one that hapi cannot parse, such as `json`;
 * - a function that crashes or times out gives 500 or 503 and a message, not 200 and a stack trace, and hapi's own errors,
 *   such as 413 for more than 10 MB, have the same form;
 * - pages of other origins than `origins` cannot read replies (see `stripCorsHeaders`).
 */
export function emulateApiGateway(server: ApiServer, origins: readonly string[]): void {
  server.ext("onRequest", ({ headers, raw }, toolkit) => {
    const { rawHeaders } = raw.req;
    rawHeaders.splice(0, rawHeaders.length, ...eventHeaders(rawHeaders));
    // The function sees the raw headers. This one is for serverless-offline: it passes text/plain on as text, as API
    // Gateway passes JSON, parses application/json, and encodes application/octet-stream as base64.
    headers["content-type"] = JSON_MEDIA_TYPE.test(headers["content-type"] ?? "") ? "text/plain" : UNKNOWN_TYPE;
    return toolkit.continue;
  });
  server.ext("onPreResponse", ({ headers, response }, toolkit) => {
    const replyHeaders = (response.isBoom ? response.output : response)?.headers ?? {};
    stripCorsHeaders(headers.origin, origins, replyHeaders);
    const error = failureOf(response.source) ?? refusalOf(response);
    if (!error) return toolkit.continue;
    const { status, message } = error;
    const reply = toolkit.response(JSON.stringify({ message })).code(status).type("application/json");
    for (const name of Object.keys(replyHeaders).filter(isCorsHeader)) reply.header(name, String(replyHeaders[name]));
    return reply;
  });
}

/** Alternating names and values, as in the argument, with each name once. */
function eventHeaders(rawHeaders: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    const earlier = values.get(name.toLowerCase());
    values.set(name.toLowerCase(), earlier === undefined ? value : `${earlier},${value}`);
  }
  if (!values.get("content-type")) values.set("content-type", UNKNOWN_TYPE);
  return [...values].flat();
}

/**
 * serverless-offline lets pages of every origin read replies (except replies to preflights, if origins are configured). API Gateway sends no CORS headers to an origin that is not configured, and then the
 * browser refuses (HTTP API developer guide, "Configure CORS").
 */
function stripCorsHeaders(
  origin: string | undefined,
  allowed: readonly string[],
  replyHeaders: Record<string, unknown>,
): void {
  if (origin === undefined || allowed.includes(origin)) return;
  for (const name of Object.keys(replyHeaders)) {
    if (isCorsHeader(name)) delete replyHeaders[name];
  }
}

function isCorsHeader(name: string): boolean {
  return name.startsWith("access-control-");
}

interface GatewayError {
  readonly status: number;
  readonly message: string;
}

/** Turns serverless-offline's reply to an error or a time-out of a function into that of API Gateway. */
function failureOf(source: unknown): GatewayError | undefined {
  const text = typeof source === "string" ? source : JSON.stringify(source ?? null);
  if (!/^\{"errorMessage":.*"stackTrace":\[/s.test(text)) return undefined;
  return text.includes('"errorType":"LambdaTimeoutError"')
    ? { status: 503, message: "Service Unavailable" }
    : { status: 500, message: "Internal Server Error" };
}

/** A request that hapi refuses before any function runs. */
function refusalOf({ isBoom, output }: ApiRequest["response"]): GatewayError | undefined {
  return isBoom && output ? { status: output.statusCode, message: output.payload.error } : undefined;
}

/**
 * Limits how many requests each route serves at once; more wait in order. serverless-offline starts a worker thread of about
 * 30 MB for every request that finds none idle, so 32 connections would get 32 workers for a machine of a few cores.
 */
export function limitConcurrency(server: ApiServer, requestsPerRoute: number): void {
  for (const { settings } of server.table()) {
    const { handler } = settings;
    if (!isRouteHandler(handler)) continue;
    const limiter = pLimit(requestsPerRoute);
    settings.handler = (request: unknown, toolkit: unknown) => limiter(async () => handler(request, toolkit));
  }
}

/** The other handlers of hapi are objects: a file, a folder, a proxy. */
function isRouteHandler(handler: unknown): handler is RouteHandler {
  return typeof handler === "function";
}
