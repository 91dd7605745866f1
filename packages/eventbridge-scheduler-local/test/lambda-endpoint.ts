import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

export interface Invocation {
  /** When the request's head arrived, in ms since 1970. */
  readonly atMs: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly payload: string;
}

/** How the endpoint answers the nth invocation, from 1. */
export type Answer = (response: ServerResponse, nth: number, invocation: Invocation) => void;

export const succeed: Answer = (response) => response.end("{}");

/** As serverless-offline answers when a handler throws. */
export const failFunction: Answer = (response) =>
  response
    .writeHead(200, { "X-Amz-Function-Error": "Unhandled" })
    .end(JSON.stringify({ errorMessage: "the handler threw", errorType: "Error" }));

/** As serverless-offline answers for a function that it does not have. */
export const unknownFunction: Answer = (response) =>
  response
    .writeHead(404, { "x-amzn-ErrorType": "ResourceNotFoundException" })
    .end(JSON.stringify({ Message: "Function not found: x", Type: "User" }));

export const unavailable: Answer = (response) => response.writeHead(503).end("no capacity");

/** Answers the first invocations with `answers`, all later ones with success. */
export function first(...answers: Answer[]): Answer {
  return (response, nth, invocation) => (answers[nth - 1] ?? succeed)(response, nth, invocation);
}

export type LambdaEndpoint = Awaited<ReturnType<typeof startLambdaEndpoint>>;

/** AWS Lambda's Invoke endpoint as far as its caller can see: a real HTTP server, for which no function runs. */
export async function startLambdaEndpoint(answer: Answer = succeed, port = 0) {
  const invocations: Invocation[] = [];
  let underWay = 0;
  let busiest = 0;
  const server = createServer(async (request, response) => {
    const atMs = Date.now();
    busiest = Math.max(busiest, ++underWay);
    response.on("close", () => underWay--);
    const invocation = { atMs, path: request.url ?? "", headers: request.headers, payload: await text(request) };
    answer(response, invocations.push(invocation), invocation);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    invocations,
    /** The most invocations that were under way at one time. */
    get busiest() {
      return busiest;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
