import type { IncomingMessage } from "node:http";
import { readBody } from "./body.ts";
import { type Command, commandOfPath, parseCommand, parseCommands } from "./command.ts";
import type { Database } from "./database.ts";
import type { LimitCheck } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import { encodeOutcome, type Outcome } from "./reply.ts";
import { denialReason } from "./request-guard.ts";
import { type Access, commandName, refusalOf } from "./rules.ts";

/** What requests are answered with. */
export interface Backend {
  /** What each bearer token may do. */
  readonly tokens: ReadonlyMap<string, Access>;
  readonly database: Database;
  readonly limitCheck: LimitCheck;
  /** The largest body of a request, in bytes. */
  readonly requestBytes: number;
}

const METHODS_WITH_BODY = ["POST", "PUT"];
const METHODS = [...METHODS_WITH_BODY, "GET", "HEAD"];

/** The three paths that take their commands from the body; every other path is a command itself. */
const BODY_PATHS = new Set(["/", "/pipeline", "/multi-exec"]);

const UNAUTHORIZED =
  "WRONGPASS invalid or missing auth token. See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details.";

/**
 * The JSON text that answers `request` with status 200; every other answer is a thrown Refusal with its status:
 * 400 a command is malformed, refused or fails, 401 no token or a wrong one, 403 a web page of another origin sent it,
 * 404 the path names no command, 405 the method, 413 the body is too large, 500 Redis is away. Only a request with a
 * valid token has its body read. https://upstash.com/docs/redis/features/restapi (HTTP Codes)
 */
export async function answer(request: IncomingMessage, backend: Backend): Promise<string> {
  const { tokens, database, limitCheck, requestBytes } = backend;
  const foreign = denialReason(request.headers);
  if (foreign !== undefined) throw new Refusal(403, `ERR ${foreign}`);
  const { path, route, query } = targetOf(request.url ?? "");
  checkMethod(request.method ?? "", BODY_PATHS.has(route));
  const access = accessOf(tokenOf(request, query), tokens);
  checkFormat(request);
  const base64 = request.headers["upstash-encoding"] === "base64";
  const body = await readBody(request, requestBytes);

  async function refusalFor(command: Command): Promise<string | undefined> {
    const table = await database.commandTable();
    const name = commandName(table, command);
    const traits = table.get(name);
    return refusalOf(command, table, access) ?? (traits && limitCheck(command, name, traits));
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
  if (route !== "/" && !table.has(command[0].toLowerCase())) throw new Refusal(404, `ERR no such path: ${route}`);
  refuse(await refusalFor(command));
  const outcome = await database.run(command);
  if ("error" in outcome) throw new Refusal(400, outcome.error);
  return encodeOutcome(outcome, base64);
}

/** `path` is raw, as `commandOfPath` wants it; `route` is the same without slashes at the end. */
function targetOf(url: string): { path: string; route: string; query: URLSearchParams } {
  const [path = "", ...rest] = url.split("?");
  if (!path.startsWith("/")) throw new Refusal(400, "ERR malformed URL");
  return { path, route: path.replace(/(?<=.)\/+$/, ""), query: new URLSearchParams(rest.join("?")) };
}

function checkMethod(method: string, takesBody: boolean): void {
  const allowed = takesBody ? METHODS_WITH_BODY : METHODS;
  if (!allowed.includes(method))
    throw new Refusal(405, `ERR method ${method} is not allowed: use ${allowed.join(", ")}`);
}

function accessOf(token: string, tokens: Backend["tokens"]): Access {
  const access = tokens.get(token);
  if (!access) throw new Refusal(401, UNAUTHORIZED);
  return access;
}

/** From the query, as a link carries it, else from the header. */
function tokenOf(request: IncomingMessage, query: URLSearchParams): string {
  return query.get("_token") ?? /^bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
}

function checkFormat(request: IncomingMessage): void {
  const format = request.headers["upstash-response-format"] ?? "json";
  if (format !== "json") throw new Refusal(400, "ERR the only Upstash-Response-Format here is json");
}

function refuse(refusal: string | undefined): void {
  if (refusal !== undefined) throw new Refusal(400, refusal);
}

function encodeOutcomes(outcomes: readonly Outcome[], base64: boolean): string {
  return `[${outcomes.map((outcome) => encodeOutcome(outcome, base64)).join(",")}]`;
}
