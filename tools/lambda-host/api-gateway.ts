import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { httpEvent } from "../../test/support/functions.ts";
import type { Router } from "./host.ts";
import type { Outcome } from "./instance.ts";
import { type Served, serve } from "./serve.ts";

const Reply = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().default(""),
});

/**
 * An HTTP API before functions: a request becomes an event of payload version 2, a failed function a 500 in API
 * Gateway's own words. Bodies are text.
 */
export async function startApiGateway(
  route: Router,
  invoke: (functionName: string, event: unknown) => Promise<Outcome>,
): Promise<Served> {
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    const path = url.replace(/\?.*$/, "");
    const found = route(method, path);
    if (!found) return refuse(response, 404, "Not Found");
    const body = await text(request);
    const { functionName, routeKey, pathParameters } = found;
    const event = httpEvent({
      routeKey,
      method,
      path,
      pathParameters,
      headers: headersOf(request),
      ...(body !== "" && { body }),
    });
    const outcome = await invoke(functionName, event);
    const reply = outcome.ok ? Reply.safeParse(outcome.reply) : undefined;
    if (!reply?.success) return refuse(response, 500, "Internal Server Error");
    response.writeHead(reply.data.statusCode, reply.data.headers).end(reply.data.body);
  }

  return serve(respond);
}

function headersOf({ headersDistinct }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(",")]));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}
