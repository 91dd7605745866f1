import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { httpEvent } from "../support/http-event.ts";
import { type HttpRequest, SEED_PK } from "./http-requests.ts";

export type FunctionName = "createOrder" | "getOrder" | "unknownRoute";

/** The function that API Gateway's routes lead a request to, and the event that it gets. The docs' routes are left out. */
export function routed(
  request: HttpRequest,
  seedPk: string,
): { readonly name: FunctionName; readonly event: APIGatewayProxyEventV2 } {
  const { method: verb, headers: given, query: parameters, body } = request;
  const at = request.path.replaceAll(SEED_PK, seedPk);
  const orderPath = /^\/orders\/([^/]+)$/s.exec(at)?.[1];
  const [name, routeKey]: [FunctionName, string] =
    verb === "POST" && at === "/orders"
      ? ["createOrder", "POST /orders"]
      : (verb === "GET" || verb === "HEAD") && orderPath !== undefined
        ? ["getOrder", `${verb} /orders/{pk}`]
        : ["unknownRoute", "$default"];
  const event = httpEvent({
    ...{ routeKey, method: verb, path: at, headers: given },
    ...(name === "getOrder" && orderPath !== undefined && { pathParameters: { pk: decoded(orderPath) } }),
    ...(body !== undefined && { body: body.text, isBase64Encoded: body.isBase64Encoded }),
  });
  return {
    name,
    event: parameters === undefined ? event : { ...event, ...queryOf(parameters) },
  };
}

function queryOf(parameters: Record<string, string>) {
  const pairs = Object.entries(parameters).map(([name, value]): [string, string] => [name, value.toWellFormed()]);
  return { rawQueryString: new URLSearchParams(pairs).toString(), queryStringParameters: parameters };
}

/** API Gateway decodes path parameters; what cannot be decoded is handed over as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
