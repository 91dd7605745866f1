import { text } from "node:stream/consumers";
import { z } from "zod";
import { httpEvent } from "./events.ts";
import type { LambdaHost } from "./host.ts";
import type { Outcome } from "./outcome.ts";
import { serve } from "./serve.ts";

const Reply = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().default(""),
});

/**
 * An HTTP API before functions: a request becomes an event of payload version 2, a failed function a 500 in API
 * Gateway's own words. Bodies are text.
 */
export function startHttpApi(
  route: LambdaHost["route"],
  invoke: (functionName: string, event: unknown) => Promise<Outcome>,
) {
  return serve(async (request, response) => {
    const { method = "GET", url = "/", headersDistinct } = request;
    const path = url.replace(/\?.*$/, "");
    const found = route(method, path);
    const body = await text(request);
    if (!found) return refuse(404, "Not Found");
    const { functionName, routeKey, pathParameters } = found;
    const headers = Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(",")]);
    const event = { routeKey, method, path, pathParameters, headers: Object.fromEntries(headers) };
    const outcome = await invoke(functionName, httpEvent({ ...event, ...(body !== "" && { body }) }));
    const reply = outcome.ok ? Reply.safeParse(outcome.reply).data : undefined;
    if (!reply) return refuse(500, "Internal Server Error");
    response.writeHead(reply.statusCode, reply.headers).end(reply.body);

    function refuse(status: number, message: string): void {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
    }
  });
}
