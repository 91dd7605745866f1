import middy, { type MiddlewareObj, type Request } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { logger, telemetry } from "../telemetry.ts";
import { problemCode, problemReply, problemStatus } from "./problem.ts";

/** Middy replies this long before Lambda ends the function, so that the client gets a problem document. */
const TIMEOUT_EARLY_MS = 250;

/** Validated when the stack is packaged (`infra/parameters.ts`). */
const { PROBLEM_TYPES_URL: typesUrl } = process.env;

/** An HTTP API event, payload version 2. */
export type ApiEvent = APIGatewayProxyEventV2;

export type ApiReply = APIGatewayProxyStructuredResultV2;

type ApiFunction = (event: ApiEvent) => Promise<ApiReply>;

/** The middy stack of all HTTP functions: an error becomes a problem document and one log line. */
export function api(apiFunction: ApiFunction) {
  return middy<ApiEvent, ApiReply>(apiFunction, { timeoutEarlyInMillis: TIMEOUT_EARLY_MS })
    .use(telemetry())
    .use(headWithoutBody)
    .use(problems);
}

/** Added before `problems`, so that it runs after it: middy runs `after` and `onError` in reverse order. */
const headWithoutBody: MiddlewareObj<ApiEvent, ApiReply> = { after: removeBodyFromHead, onError: removeBodyFromHead };

const problems: MiddlewareObj<ApiEvent, ApiReply> = {
  onError(request) {
    const { context, error, event } = request;
    logFailure(error, event);
    request.response = problemReply(error, context.awsRequestId, typesUrl);
  },
};

/** `HEAD` gets the headers of `GET`, and the length of its body (RFC 9110 sections 8.6 and 9.3.2). */
function removeBodyFromHead(request: Request<ApiEvent, ApiReply>): void {
  if (request.event.requestContext.http.method !== "HEAD" || !request.response?.body) return;
  const { body, isBase64Encoded, headers, ...reply } = request.response;
  const length = Buffer.byteLength(body, isBase64Encoded ? "base64" : "utf8");
  request.response = { ...reply, headers: { ...headers, "content-length": String(length) } };
}

function logFailure(error: unknown, event: ApiEvent): void {
  const code = problemCode(error);
  const status = problemStatus(code);
  const route = event.routeKey;
  if (status >= 500) logger.error("Request failed", { code, status, route, error: toError(error) });
  else logger.warn("Request refused", { code, status, route });
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
