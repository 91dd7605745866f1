import http, { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import https from "node:https";
import { urlToHttpOptions } from "node:url";

const BYTE_ORDER_MARK = "\uFEFF";

export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** Starts with a slash, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the call to the last byte of the reply, in ms, including name look-up, connection, TLS handshake and resends. */
  readonly timeoutMs: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Decoded as UTF-8, without a byte order mark. */
  readonly body: string;
}

/** Sends one request. A redirect is a reply like any other. */
export type HttpClient = (request: HttpRequest) => Promise<HttpReply>;

/** The reply was not complete in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** Whether the connection ended before the reply was complete. */
export function isBrokenConnection(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/**
 * An HTTP client for one origin. It keeps its connections and TLS sessions, and verifies certificates.
 *
 * A request that fails on a kept connection before its reply begins is sent again on another connection: the server may
 * have closed the connection while it was idle, as happens while Lambda freezes an instance
 * (https://nodejs.org/api/http.html#requestreusedsocket). It may also have handled the request, so every request must be
 * idempotent (RFC 9110 section 9.2.2).
 * @param baseUrl its path is a prefix of every request's path
 * @param maxReplyBytes a larger body is refused without reading all of it
 * @throws TimeoutError, or an Error with a `code` of Node.js: ECONNREFUSED, ECONNRESET when the connection breaks (also
 *   within the body), DEPTH_ZERO_SELF_SIGNED_CERT and others for a certificate that is not trusted
 */
export function createHttpClient(baseUrl: string, maxReplyBytes: number): HttpClient {
  const url = new URL(baseUrl);
  const { protocol, hostname, port } = urlToHttpOptions(url);
  const prefix = url.pathname.replace(/\/+$/, "");
  const { Agent, request } = protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: true });

  return ({ method, path, headers, body, timeoutMs }) => {
    // Without this header a server may compress its reply (RFC 9110 section 12.5.3).
    const options = {
      protocol,
      hostname,
      port,
      agent,
      method,
      path: prefix + path,
      headers: { "accept-encoding": "identity", ...headers },
    };
    return new Promise((resolve, reject) => {
      let outgoing: ClientRequest;
      let settled = false;
      const timer = setTimeout(
        () => fail(new TimeoutError(`The reply was not complete after ${timeoutMs} ms`)),
        timeoutMs,
      );
      send();

      function send(): void {
        let replyStarted = false;
        const sent = request(options, (incoming) => {
          replyStarted = true;
          receive(incoming);
        });
        outgoing = sent;
        sent.on("error", (error) => {
          if (sent.reusedSocket && !replyStarted && !settled) send();
          else fail(error);
        });
        sent.end(body);
      }

      function receive(incoming: IncomingMessage): void {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.byteLength;
          if (bytes > maxReplyBytes) fail(new Error(`The reply has more than ${maxReplyBytes} bytes`));
          else chunks.push(chunk);
        });
        incoming.on("error", fail);
        incoming.on("end", () => {
          settle();
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: textOf(chunks) });
        });
      }

      function fail(error: Error): void {
        settle();
        reject(error);
        outgoing.destroy();
      }

      function settle(): void {
        settled = true;
        clearTimeout(timer);
      }
    });
  };
}

function textOf(chunks: readonly Buffer[]): string {
  const text = Buffer.concat(chunks).toString();
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}
