import middy, { type MiddlewareObj, type MiddyfiedHandler } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { logger, observed } from "../observability.ts";
import { problemCode, problemReply, problemStatus } from "./problem.ts";

/** Middy answers this long before the function would be cut off, so that even then the client gets a problem document. */
const TIMEOUT_EARLY_MS = 250;

/** An HTTP API event, payload version 2, whose body may be parsed already. */
export type ApiEvent = Omit<APIGatewayProxyEventV2, "body"> & { body?: unknown };
export type ApiReply = APIGatewayProxyStructuredResultV2;
export type ApiStack = MiddyfiedHandler<ApiEvent, ApiReply>;
type ApiFunction = (event: ApiEvent) => Promise<ApiReply>;

/**
 * The one middy stack of all HTTP functions: what they throw becomes a problem document and one log line.
 * @param parseBody adds what parses a body (`json-body.ts`); given rather than imported, so that functions without a body
 *   neither carry nor load a parser
 */
export function api(apiFunction: ApiFunction, parseBody?: (stack: ApiStack) => void): ApiStack {
  const stack = middy<ApiEvent, ApiReply>(apiFunction, { timeoutEarlyInMillis: TIMEOUT_EARLY_MS });
  stack.use(observed()).use(problems);
  parseBody?.(stack);
  return stack;
}

const problems: MiddlewareObj<ApiEvent, ApiReply> = {
  onError(request) {
    const { context, error, event } = request;
    logFailure(error, event);
    request.response = problemReply(error, context.awsRequestId);
  },
};

function logFailure(error: unknown, event: ApiEvent): void {
  const code = problemCode(error);
  const status = problemStatus(code);
  const route = event.routeKey;
  if (status >= 500) logger.error("Request failed", { code, status, route, error: toError(error) });
  else logger.warn("Request refused", { code, status, route });
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
