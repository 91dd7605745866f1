import { readFile } from "node:fs/promises";
import type { APIGatewayProxyEventV2 } from "aws-lambda";

interface HttpRequest {
  /** `POST /orders`, or `$default` for a request that no route takes. */
  readonly routeKey: string;
  readonly method: string;
  readonly path: string;
  readonly pathParameters?: Record<string, string>;
  /** With lower-case names, as API Gateway hands them over. */
  readonly headers?: Record<string, string>;
  /** Left out when the request has none. */
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/**
 * The event that an HTTP API hands to its function, payload version 2
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
 */
export function httpEvent({ routeKey, method, path, headers = {}, ...given }: HttpRequest): APIGatewayProxyEventV2 {
  const { body, pathParameters, isBase64Encoded = false } = given;
  return {
    version: "2.0",
    routeKey,
    rawPath: path,
    rawQueryString: "",
    headers: {
      accept: "*/*",
      ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
      host: "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
      "user-agent": "curl/8.5.0",
      "x-amzn-trace-id": "Root=1-69229cf2-0a1b2c3d4e5f60718293a4b5",
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
      ...headers,
    },
    requestContext: {
      accountId: "123456789012",
      apiId: "a1b2c3d4e5",
      domainName: "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
      domainPrefix: "a1b2c3d4e5",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "curl/8.5.0" },
      requestId: "Ux7wXhNZliAEJWA=",
      routeKey,
      stage: "$default",
      time: "23/Nov/2026:06:00:00 +0000",
      timeEpoch: Date.UTC(2026, 10, 23, 6),
    },
    ...(pathParameters && { pathParameters }),
    ...(body !== undefined && { body }),
    isBase64Encoded,
  };
}

/** `POST /orders` with a JSON body; what is no string is written as JSON. */
export function placeOrderEvent(body: unknown, headers: Record<string, string> = {}): APIGatewayProxyEventV2 {
  return httpEvent({
    routeKey: "POST /orders",
    method: "POST",
    path: "/orders",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** `GET /orders/{pk}`: API Gateway decodes the path's parameters. */
export function getOrderEvent(pk: string): APIGatewayProxyEventV2 {
  return httpEvent({
    routeKey: "GET /orders/{pk}",
    method: "GET",
    path: `/orders/${encodeURIComponent(pk)}`,
    pathParameters: { pk },
  });
}

/** A sample of `events/`, by the name of its function. */
export async function sampleEvent(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`../../events/${name}.json`, import.meta.url), "utf8"));
}
