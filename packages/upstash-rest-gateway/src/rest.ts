import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type Access, accessProblem, commandName } from "./access.ts";
import { type Command, commandOfPath, decodeSegment, parseCommand, parseCommands } from "./command.ts";
import type { Database } from "./database.ts";
import type { LimitCheck } from "./limits.ts";
import { encodeOutcome, type Outcome, UpstashError } from "./reply.ts";
import { streamMessages } from "./subscriptions.ts";

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** `none` is an address that a person typed or opened. `same-site` can be another port of this machine, which is another origin. */
const OWN_SITES = ["none", "same-origin"];

const METHODS_WITH_BODY = ["POST", "PUT"];

const METHODS = [...METHODS_WITH_BODY, "GET", "HEAD"];

/** `/subscribe/{channel}` and `/psubscribe/{pattern}`, with any number of names. */
const SUBSCRIPTION = /^\/(p?subscribe)\/(.+)$/i;

/** The three paths whose commands are in the body. Every other path is a command itself. */
const BODY_PATHS = new Set(["/", "/pipeline", "/multi-exec"]);

const UNAUTHORIZED =
  "WRONGPASS invalid or missing auth token. See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details.";

const SIZE_PAGE = "https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded";

/** What a request needs to be answered. */
export interface Backend {
  /** For the connections of subscribers. */
  readonly redisUrl: string;
  /** What each bearer token may do. */
  readonly tokens: ReadonlyMap<string, Access>;
  readonly database: Database;
  readonly limitCheck: LimitCheck;
  /** The largest body of a request, in bytes. */
  readonly requestBytes: number;
}

/**
 * The JSON text of the reply to `request`, with status 200, or undefined once `response` streams the messages of a
 * subscription. Every other reply is a thrown UpstashError with its status:
 * 400 a command is malformed, refused or fails, 401 no token or a wrong one, 403 a web page of another origin sent it,
 * 404 the path names no command, 405 the method, 413 the body is too large, 500 Redis is away. Only a request with a
 * valid token has its body read. https://upstash.com/docs/redis/features/restapi (HTTP Codes)
 */
export async function reply(
  request: IncomingMessage,
  response: ServerResponse,
  backend: Backend,
): Promise<string | undefined> {
  const { tokens, database, limitCheck, requestBytes } = backend;
  const foreign = denialReason(request.headers);
  if (foreign !== undefined) throw new UpstashError(403, `ERR ${foreign}`);
  const { path, route, query } = targetOf(request.url ?? "");
  checkMethod(request.method ?? "", BODY_PATHS.has(route));
  const access = accessOf(tokenOf(request, query), tokens);
  checkFormat(request);
  const subscription = SUBSCRIPTION.exec(route);
  if (subscription) {
    const [, command = "", names = ""] = subscription;
    const kind = command.toLowerCase() === "subscribe" ? "subscribe" : "psubscribe";
    await streamMessages(response, backend.redisUrl, kind, names.split("/").map(decodeSegment));
    return undefined;
  }
  const base64 = request.headers["upstash-encoding"] === "base64";
  const body = await readBody(request, requestBytes);

  async function refusalFor(command: Command): Promise<string | undefined> {
    const table = await database.commandTable();
    const name = commandName(table, command);
    const traits = table.get(name);
    return accessProblem(command, table, access) ?? (traits && limitCheck(command, name, traits));
  }

  if (route === "/pipeline") {
    const outcomes: Promise<Outcome>[] = [];
    for (const command of parseCommands(body)) {
      const refusal = await refusalFor(command);
      const outcome = refusal === undefined ? database.run(command) : Promise.resolve({ error: refusal });
      // Promise.all throws it below; until then Node would count it as unhandled.
      outcome.catch(() => undefined);
      outcomes.push(outcome);
    }
    return encodeOutcomes(await Promise.all(outcomes), base64);
  }
  if (route === "/multi-exec") {
    const commands = parseCommands(body);
    for (const command of commands) refuse(await refusalFor(command));
    return encodeOutcomes(await database.transact(commands), base64);
  }
  const command = route === "/" ? parseCommand(body) : commandOfPath(path, query, body);
  const table = await database.commandTable();
  if (route !== "/" && !table.has(command[0].toLowerCase())) throw new UpstashError(404, `ERR no such path: ${route}`);
  refuse(await refusalFor(command));
  const outcome = await database.run(command);
  if ("error" in outcome) throw new UpstashError(400, outcome.error);
  return encodeOutcome(outcome, base64);
}

/** `path` is raw, as `commandOfPath` wants it; `route` is the same without slashes at the end. */
function targetOf(url: string): { path: string; route: string; query: URLSearchParams } {
  const [path = "", ...rest] = url.split("?");
  if (!path.startsWith("/")) throw new UpstashError(400, "ERR malformed URL");
  return { path, route: path.replace(/(?<=.)\/+$/, ""), query: new URLSearchParams(rest.join("?")) };
}

function checkMethod(method: string, takesBody: boolean): void {
  const allowed = takesBody ? METHODS_WITH_BODY : METHODS;
  if (!allowed.includes(method))
    throw new UpstashError(405, `ERR method ${method} is not allowed: use ${allowed.join(", ")}`);
}

function accessOf(token: string, tokens: Backend["tokens"]): Access {
  const access = tokens.get(token);
  if (!access) throw new UpstashError(401, UNAUTHORIZED);
  return access;
}

/** From the query, as a link carries it, else from the header. */
function tokenOf(request: IncomingMessage, query: URLSearchParams): string {
  return query.get("_token") ?? /^bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
}

function checkFormat(request: IncomingMessage): void {
  const format = request.headers["upstash-response-format"] ?? "json";
  if (format !== "json") throw new UpstashError(400, "ERR the only Upstash-Response-Format here is json");
}

function refuse(refusal: string | undefined): void {
  if (refusal !== undefined) throw new UpstashError(400, refusal);
}

function encodeOutcomes(outcomes: readonly Outcome[], base64: boolean): string {
  return `[${outcomes.map((outcome) => encodeOutcome(outcome, base64)).join(",")}]`;
}

/**
 * Reads the body of `request`, at most `limitBytes`. A larger body throws a 413 UpstashError, but only after it was read to
 * its end and discarded: a client that gets the reply while it sends would see a broken pipe.
 */
async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= limitBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size <= limitBytes) return Buffer.concat(chunks, size);
  const sizes = `Limit: ${limitBytes} bytes, Actual: ${size} bytes`;
  throw new UpstashError(413, `ERR max request size exceeded. ${sizes}. See ${SIZE_PAGE} for details`);
}

/**
 * Returns the reason to refuse a request, or undefined. It refuses a `Host` that is not loopback (a page whose host name
 * resolves to 127.0.0.1, called DNS rebinding, could read the replies) and every request that a browser sends for a page of
 * another origin. A browser requests images and scripts without `Origin`, so `Sec-Fetch-Site` counts too
 * (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site). Other clients send neither.
 */
function denialReason(headers: IncomingHttpHeaders): string | undefined {
  const { host = "", origin = `http://${host}`, "sec-fetch-site": site = "none" } = headers;
  if (!LOOPBACK_HOST.test(host)) return "The Host header is not loopback. Use localhost, 127.0.0.1 or [::1]";
  const isOwn = origin === `http://${host}` && OWN_SITES.includes(String(site));
  return isOwn ? undefined : "Web pages of another origin cannot use this port";
}
