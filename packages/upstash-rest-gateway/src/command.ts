import { z } from "zod";
import { UpstashError } from "./reply.ts";

/** The number of words that belong to an option; other options have none. https://redis.io/docs/latest/commands/xreadgroup/ */
const OPERANDS: Readonly<Record<string, number>> = { GROUP: 2, COUNT: 1, BLOCK: 1, CLAIM: 1 };

const list = z.array(z.unknown());

/** One Redis command: its name, then its arguments. Bytes where the caller sent bytes, else text. */
export type Command = readonly [name: string, ...args: (string | Buffer)[]];

/** What XREAD or XREADGROUP asks for. */
interface StreamRead {
  /** The operands of each option, by its upper-case name. */
  readonly options: ReadonlyMap<string, Command[number][]>;
  readonly streams: readonly { readonly key: Command[number]; readonly id: string }[];
}

/**
 * The command in the body of `POST /`: `["SET", "key", 1, true]`. Numbers keep the digits they were written with, however
 * many; booleans become "true" and "false". Throws a 400 UpstashError for anything else.
 */
export function parseCommand(body: Buffer): Command {
  return commandOf(parseJson(body));
}

/** The commands in the body of `POST /pipeline` and `POST /multi-exec`, at least one; otherwise as `parseCommand`. */
export function parseCommands(body: Buffer): Command[] {
  const commands = listOf(parseJson(body));
  if (commands.length === 0) throw malformed("empty pipeline");
  return commands.map(commandOf);
}

/**
 * The command of the path form, `/set/key/value?EX=100`: the segments of the path, then the bytes of the body if there
 * are any, then the names and values of the query. `path` is the raw one of the request line: a URL parser would resolve
 * segments such as `..`, which are arguments here. Throws a 400 UpstashError when it is not valid percent-encoded UTF-8.
 * https://upstash.com/docs/redis/features/restapi (API Semantics)
 */
export function commandOfPath(path: string, query: URLSearchParams, body: Buffer): Command {
  const [name = "", ...args] = path.slice(1).split("/").map(decodeSegment);
  const options = [...query].filter(([key]) => key !== "_token").flat();
  return [name, ...args, ...(body.length > 0 ? [body] : []), ...options.filter((word) => word !== "")];
}

function commandOf(value: unknown): Command {
  const [name, ...args] = listOf(value).map(argumentOf);
  if (!name) throw malformed("empty command");
  return [name, ...args];
}

function listOf(value: unknown): unknown[] {
  const parsed = list.safeParse(value);
  if (!parsed.success) throw malformed("expected a JSON array", parsed.error);
  return parsed.data;
}

/** Not a zod schema, which would collect an issue for each of a million arguments. */
function argumentOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (value === null) throw malformed("null args are not supported");
  throw malformed(`unsupported arg type: ${Array.isArray(value) ? "array" : typeof value}`);
}

function parseJson(body: Buffer): unknown {
  try {
    // A double has 53 bits and a Redis integer 64, so numbers are kept as text.
    return JSON.parse(body.toString("utf8"), (_key, value: unknown, context?: { source?: string }) =>
      typeof value === "number" ? (context?.source ?? String(value)) : value,
    );
  } catch (cause) {
    throw malformed("failed to parse the request body as JSON", cause);
  }
}

/** @throws UpstashError with status 400 when it is not valid percent-encoded UTF-8 */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw malformed("malformed percent-encoding in the path", cause);
  }
}

function malformed(what: string, cause?: unknown): UpstashError {
  return new UpstashError(400, `ERR ${what}`, { cause });
}

/** Reads the arguments of XREAD and XREADGROUP. It refuses nothing: Redis itself refuses what is malformed. */
export function parseStreamRead([, ...args]: Command): StreamRead {
  const options = new Map<string, Command[number][]>();
  let at = 0;
  for (; at < args.length; at += 1) {
    const name = String(args[at]).toUpperCase();
    if (name === "STREAMS") break;
    const count = OPERANDS[name] ?? 0;
    options.set(name, args.slice(at + 1, at + 1 + count));
    at += count;
  }
  const words = args.slice(at + 1);
  const ids = words.splice(words.length / 2);
  return { options, streams: words.map((key, index) => ({ key, id: String(ids[index]) })) };
}
