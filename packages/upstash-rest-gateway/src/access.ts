import { type Command, parseStreamRead } from "./command.ts";
import type { CommandTable, CommandTraits } from "./database.ts";

/** The rights of a token: all commands of the REST API, or only those that read. */
export type Access = "standard" | "read-only";

/** "Only PING and ECHO", "only PUBLISH and PUBSUB": https://upstash.com/docs/redis/features/restapi (compatibility) */
const SERVED_OF_ITS_KIND = /^(ping|echo|publish|pubsub(\|.*)?)$/;

/** Commands with these traits need their own connection, or block the one that all requests share. */
const CONNECTION_KINDS = ["@connection", "@transaction", "@pubsub", "@blocking"];

/** It has the traits of SCRIPT LOAD, but turns the connection into a debugging session. */
const SCRIPT_DEBUG = "script|debug";

/** Commands that Upstash does not list, which reach other servers, other databases or keys that they do not name. */
const NOT_AT_UPSTASH = new Set(["migrate", "move", "sort", "sort_ro", "swapdb"]);

/**
 * Commands that Upstash has and older versions of Redis have not: expiring fields, XDELEX and the like, JSON, Upstash's search.
 * https://upstash.com/docs/redis/overall/changelog, https://upstash.com/docs/redis/commands/overview
 */
const NEWER_COMMAND =
  /^(json\..+|search\..+|hp?expire(at|time)?|hp?ttl|hpersist|hgetdel|hgetex|hsetex|xdelex|xackdel)$/;

/** Reads that Upstash refuses to a read-only token, because they scan the whole key space. */
const POWERFUL_READS = new Set(["keys", "scan"]);

/** Neither reads nor writes, so the server has no flag for them. */
const HARMLESS = new Set(["ping", "echo", "time"]);

const COMPATIBILITY_PAGE = "https://upstash.com/docs/redis/overall/rediscompatibility";

/** Upstash has database 0 only (https://upstash.com/docs/redis/commands/generic/copy). The text is that of Redis. */
const OTHER_DATABASE = "ERR DB index is out of range";

/**
 * The error text if `command` may not run with `access`, else `undefined`. The server's own command table says what a command
 * does, so the rules also cover commands of newer versions of Redis.
 */
export function accessProblem(command: Command, table: CommandTable, access: Access): string | undefined {
  const name = commandName(table, command);
  const traits = table.get(name);
  if (!traits) return unavailable(name);
  if (name === "monitor" || needsOwnConnection(name, traits, command)) return notInRest(name);
  if (traits.categories.has("@admin") || name === SCRIPT_DEBUG || NOT_AT_UPSTASH.has(name)) return unavailable(name);
  if (name === "copy" && namesDatabase(command)) return OTHER_DATABASE;
  if (access === "read-only" && !onlyReads(name, traits)) {
    return `NOPERM this user has no permissions to run the '${name}' command or its subcommand`;
  }
  return undefined;
}

/** Whether Upstash has a command that the server's table has not. */
export function isMissing(table: CommandTable, name: string): boolean {
  return !table.has(name) && NEWER_COMMAND.test(name);
}

/** `config|get` when the server knows such a subcommand, else the name alone, in lower case. */
export function commandName(table: CommandTable, [name, subcommand]: Command): string {
  const full = `${name}|${String(subcommand)}`.toLowerCase();
  return table.has(full) ? full : name.toLowerCase();
}

function needsOwnConnection(name: string, { categories }: CommandTraits, command: Command): boolean {
  if (SERVED_OF_ITS_KIND.test(name)) return false;
  // XREAD and XREADGROUP are in @blocking, but block only when asked to.
  if (name === "xread" || name === "xreadgroup") return parseStreamRead(command).options.has("BLOCK");
  return CONNECTION_KINDS.some((kind) => categories.has(kind));
}

/** DB 0 too: the Redis behind the gateway may have another one selected (`redis://host/1`). */
function namesDatabase([, , , ...options]: Command): boolean {
  return options.some((word) => String(word).toUpperCase() === "DB");
}

/** A command is allowed only if it has the flag, so EVAL, FCALL and SCRIPT LOAD are refused. */
function onlyReads(name: string, { flags }: CommandTraits): boolean {
  return HARMLESS.has(name) || (flags.has("readonly") && !POWERFUL_READS.has(name));
}

function notInRest(name: string): string {
  return `ERR Command "${displayName(name)}" is not allowed in REST or it has a special context path`;
}

function unavailable(name: string): string {
  return `ERR Command is not available: '${displayName(name)}'. See ${COMPATIBILITY_PAGE} for details`;
}

export function displayName(name: string): string {
  return name.replace("|", " ").toUpperCase();
}
