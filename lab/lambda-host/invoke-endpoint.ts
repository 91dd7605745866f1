import { text } from "node:stream/consumers";
import type { Outcome } from "./outcome.ts";
import { serve } from "./serve.ts";

const INVOKE = /^\/2015-03-31\/functions\/(?<name>[^/?]+)\/invocations(\?.*)?$/;

/**
 * Lambda's Invoke (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html): 200 with the reply, or with
 * `x-amz-function-error` when the function failed; 404 for a function that is not there.
 * @param invoke runs a function; undefined when there is none of that name
 */
export function startInvokeEndpoint(invoke: (name: string, event: unknown) => Promise<Outcome> | undefined) {
  return serve(async (request, response) => {
    const name = INVOKE.exec(request.url ?? "")?.groups?.name ?? "";
    const outcome = await invoke(name, JSON.parse((await text(request)) || "null"));
    if (!outcome) {
      response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end('{"Type":"User"}');
    } else if (outcome.ok) {
      response.end(JSON.stringify(outcome.reply));
    } else {
      const { errorType, errorMessage } = outcome;
      response.setHeader("x-amz-function-error", "Unhandled").end(JSON.stringify({ errorType, errorMessage }));
    }
  });
}
