import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { listen } from "./servers.ts";

/** How a request is answered; `forward` hands it to the server behind. */
export type Answer = (response: ServerResponse, forward: () => Promise<Reply>) => unknown;

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly content: Buffer;
}

export interface HttpFront {
  readonly url: string;
  /** Method and path of each request since the last `reset`. */
  readonly requests: readonly string[];
  /** Answers every request from now on like this. */
  answerWith(answer: Answer): void;
  /** Lets the next request through, and hangs up instead of giving its reply. */
  loseNextReply(): void;
  /** Forwards again, and forgets the requests so far. */
  reset(): void;
  stop(): Promise<void>;
}

const HOP_BY_HOP = new Set(["connection", "content-length", "host", "keep-alive", "transfer-encoding"]);

const passOn: Answer = async (response, forward) => {
  const { status, headers, content } = await forward();
  response.writeHead(status, headers).end(content);
};

/** A real server before another one, so that a test sees what is sent, and can lose or replace what is replied. */
export async function startHttpFront(target: string): Promise<HttpFront> {
  const requests: string[] = [];
  let answer = passOn;

  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const body = await buffer(request);
    await answer(response, () => forward(target, request, body));
  });
  const url = await listen(server);

  let stopping: Promise<unknown> | undefined;
  return {
    url,
    requests,
    answerWith(other) {
      answer = other;
    },
    loseNextReply() {
      answer = async (response, forward) => {
        answer = passOn;
        await forward();
        response.destroy();
      };
    },
    reset() {
      answer = passOn;
      requests.length = 0;
    },
    async stop() {
      stopping ??= once(server.close(), "close");
      server.closeAllConnections();
      await stopping;
    },
  };
}

async function forward(
  target: string,
  { method, url, headersDistinct }: IncomingMessage,
  body: Buffer,
): Promise<Reply> {
  const headers = endToEnd(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(", ")]));
  const hasBody = method !== "GET" && method !== "HEAD";
  const reply = await fetch(`${target}${url}`, {
    method: method ?? "GET",
    headers,
    ...(hasBody && { body: new Uint8Array(body) }),
  });
  return { status: reply.status, headers: endToEnd([...reply.headers]), content: Buffer.from(await reply.bytes()) };
}

function endToEnd(headers: [string, string][]): Record<string, string> {
  return Object.fromEntries(headers.filter(([name]) => !HOP_BY_HOP.has(name)));
}
