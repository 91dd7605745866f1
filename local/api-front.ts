import { randomUUID } from "node:crypto";
import pLimit from "p-limit";
import { HttpError, problemReply } from "../lib/http/problem.ts";
import { withholdFromStrangers } from "./cors.ts";

interface FrontRequest {
  readonly headers: Record<string, string>;
  readonly raw: { readonly req: { readonly rawHeaders: string[] } };
  readonly response: {
    readonly isBoom?: boolean;
    readonly output?: { readonly statusCode: number; readonly headers: Record<string, unknown> };
    readonly headers?: Record<string, unknown>;
    /** What the function gave, as it is sent. */
    readonly source?: unknown;
  };
}

interface FrontReply {
  code(status: number): FrontReply;
  type(mediaType: string): FrontReply;
  header(name: string, value: string): FrontReply;
}

interface FrontToolkit {
  readonly continue: symbol;
  response(body: string | undefined): FrontReply;
}

type RouteHandler = (request: unknown, toolkit: unknown) => unknown;

/** What is used of the hapi server that serverless-offline puts before the functions. */
export interface ApiFront {
  readonly info: { readonly started: number };
  table(): readonly { readonly settings: { handler?: unknown } }[];
  ext(event: string, method: (request: FrontRequest, toolkit: FrontToolkit) => symbol | FrontReply): void;
}

const UNKNOWN_TYPE = "application/octet-stream";
const JSON_MEDIA_TYPE = /^application\/json\b/i;

/**
 * Five things that serverless-offline would answer in its own way:
 * - it passes a body without a Content-Type on as `application/json`; here it is what RFC 9110 section 8.3 lets a
 *   recipient assume, so that the function refuses it;
 * - it refuses a Content-Type that hapi cannot parse, such as `json`, in hapi's words; here the function does;
 * - it refuses more than 10 MB before any function runs; here with the service's problem document. (API Gateway, on AWS,
 *   answers that with a message of its own, which no configuration changes.)
 * - to a function that crashed or took too long it replies 200, with a stack trace; here, as API Gateway, 500 or 503 and a
 *   message;
 * - it lets pages of any origin read replies; here only those of `allowedOrigins`.
 */
export function behaveLikeApiGateway(front: ApiFront, allowedOrigins: readonly string[]): void {
  front.ext("onRequest", (request, toolkit) => {
    const type = request.headers["content-type"];
    if (type === undefined) request.raw.req.rawHeaders.push("Content-Type", UNKNOWN_TYPE);
    // The function sees the raw headers. These are for hapi, and for serverless-offline, which hands JSON over as text.
    request.headers["content-type"] = JSON_MEDIA_TYPE.test(type ?? "") ? "application/json" : UNKNOWN_TYPE;
    return toolkit.continue;
  });
  front.ext("onPreResponse", ({ headers, response }, toolkit) => {
    withholdFromStrangers(
      headers.origin,
      allowedOrigins,
      (response.isBoom ? response.output : response)?.headers ?? {},
    );
    const failed = failureOf(response.source);
    if (failed) return toolkit.response(JSON.stringify(failed.body)).code(failed.status).type("application/json");
    if (!response.isBoom || response.output?.statusCode !== 413) return toolkit.continue;
    const { statusCode = 413, headers: own = {}, body } = problemReply(new HttpError("body_too_large"), randomUUID());
    const reply = toolkit.response(body).code(statusCode);
    return Object.entries(own).reduce((made, [name, value]) => made.header(name, String(value)), reply);
  });
}

/**
 * Limits how many requests each route serves at once; more wait in order. serverless-offline starts a worker thread of about
 * 30 MB for every request that finds none idle, so 32 connections would get 32 workers for a machine of a few cores.
 */
export function limitConcurrency(front: ApiFront, requestsPerRoute: number): void {
  for (const { settings } of front.table()) {
    const { handler } = settings;
    if (!isRouteHandler(handler)) continue;
    const gate = pLimit(requestsPerRoute);
    settings.handler = (request: unknown, toolkit: unknown) => gate(async () => handler(request, toolkit));
  }
}

/** The other handlers of hapi are objects: a file, a folder, a proxy. */
function isRouteHandler(handler: unknown): handler is RouteHandler {
  return typeof handler === "function";
}

/** What serverless-offline replies when a function threw or took too long, in API Gateway's words. */
function failureOf(
  source: unknown,
): { readonly status: number; readonly body: { readonly message: string } } | undefined {
  const text = typeof source === "string" ? source : JSON.stringify(source ?? null);
  if (!/^\{"errorMessage":.*"stackTrace":\[/s.test(text)) return undefined;
  return text.includes('"errorType":"LambdaTimeoutError"')
    ? { status: 503, body: { message: "Service Unavailable" } }
    : { status: 500, body: { message: "Internal Server Error" } };
}
