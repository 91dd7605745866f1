import type { IncomingMessage, ServerResponse } from "node:http";
import { type Access, accessProblem, commandName, displayName, isMissing } from "./access.ts";
import { type Command, commandOfPath, decodeSegment, parseCommand, parseCommands } from "./command.ts";
import type { Call, Database } from "./database.ts";
import type { LimitCheck } from "./limits.ts";
import { type Allowed, denialReason } from "./origins.ts";
import type { Session } from "./read-lag.ts";
import { encodeOutcome, type Outcome, UpstashError } from "./reply.ts";
import { streamMessages } from "./subscriptions.ts";

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
  /** Opens the session of a request. */
  readonly openSession: (syncToken: string | undefined) => Session;
  /** The largest body of a request, in bytes. */
  readonly requestBytes: number;
  readonly allowed: Allowed;
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
  const { tokens, database, limitCheck, openSession, requestBytes, allowed } = backend;
  const foreign = denialReason(request.headers, allowed);
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
  const session = openSession(String(request.headers["upstash-sync-token"]));
  try {
    return await run();
  } finally {
    response.setHeader("upstash-sync-token", session.syncToken());
  }

  async function run(): Promise<string> {
    if (route === "/pipeline") {
      const outcomes: Promise<Outcome>[] = [];
      for (const command of parseCommands(body)) {
        const call = await admit(command);
        const outcome = "error" in call ? Promise.resolve(call) : session.run(call);
        // Promise.all throws it below; until then Node would count it as unhandled.
        outcome.catch(() => undefined);
        outcomes.push(outcome);
      }
      return encodeOutcomes(await Promise.all(outcomes), base64);
    }
    if (route === "/multi-exec") {
      const calls: Call[] = [];
      for (const command of parseCommands(body)) calls.push(accepted(await admit(command)));
      return encodeOutcomes(await session.transact(calls), base64);
    }
    const command = route === "/" ? parseCommand(body) : commandOfPath(path, query, body);
    const table = await database.commandTable();
    const word = command[0].toLowerCase();
    if (route !== "/" && !table.has(word) && !isMissing(table, word))
      throw new UpstashError(404, `ERR no such path: ${route}`);
    return encodeOutcome(accepted(await session.run(accepted(await admit(command)))), base64);
  }

  /** The call, or why it may not run. */
  async function admit(command: Command): Promise<Call | { readonly error: string }> {
    const table = await database.commandTable();
    const name = commandName(table, command);
    if (isMissing(table, name)) {
      const server = await database.serverName();
      return { error: `ERR ${server} behind this gateway has no ${displayName(name)} (Upstash has it)` };
    }
    const traits = table.get(name);
    const call = traits && { command, name, traits };
    const error = accessProblem(command, table, access) ?? (call && (await limitCheck(call)));
    return call && error === undefined ? call : { error: error ?? "ERR the command is unknown" };
  }
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

/** @throws UpstashError with status 400 for an error */
function accepted<T extends object>(value: T | { readonly error: string }): T {
  if ("error" in value) throw new UpstashError(400, value.error);
  return value;
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
