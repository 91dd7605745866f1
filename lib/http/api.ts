import middy, { type MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { ProblemTypesEnv } from "../env/problem-types.ts";
import { readEnv } from "../env/read.ts";
import { logger, observed } from "../observability.ts";
import { problemCode, problemReply, problemStatus } from "./problem.ts";

/** Middy answers this long before the function would be cut off, so that even then the client gets a problem document. */
const TIMEOUT_EARLY_MS = 250;

const { PROBLEM_TYPES_URL: typesUrl } = readEnv(ProblemTypesEnv);

/** An HTTP API event, payload version 2. */
export type ApiEvent = APIGatewayProxyEventV2;
export type ApiReply = APIGatewayProxyStructuredResultV2;
type ApiFunction = (event: ApiEvent) => Promise<ApiReply>;

/** The one middy stack of all HTTP functions: what they throw becomes a problem document and one log line. */
export function api(apiFunction: ApiFunction) {
  return middy<ApiEvent, ApiReply>(apiFunction, { timeoutEarlyInMillis: TIMEOUT_EARLY_MS })
    .use(observed())
    .use(problems);
}

const problems: MiddlewareObj<ApiEvent, ApiReply> = {
  onError(request) {
    const { context, error, event } = request;
    logFailure(error, event);
    request.response = problemReply(error, context.awsRequestId, typesUrl);
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
