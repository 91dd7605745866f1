import { type ApiEvent, type ApiReply, api } from "../lib/http/api.ts";
import { HttpError } from "../lib/http/problem.ts";
import { allowedMethods } from "../lib/http/routes.ts";

/**
 * Handles the route `$default`: unknown paths, known paths with another method, and preflights of browsers, to whose reply
 * API Gateway adds the CORS headers (HTTP API developer guide, "Configure CORS").
 */
async function unknownRoute(event: ApiEvent): Promise<ApiReply> {
  const allow = allowedMethods(event.rawPath);
  if (event.requestContext.http.method === "OPTIONS") return { statusCode: 204, headers: { allow } };
  throw new HttpError("method_not_allowed", { allow });
}

export const handler = api(unknownRoute);
