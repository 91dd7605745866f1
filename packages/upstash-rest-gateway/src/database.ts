import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";
import { z } from "zod";
import type { Command } from "./command.ts";
import { type Outcome, UpstashError } from "./reply.ts";

const CONNECT_TIMEOUT_MS = 1000;

const MAX_RECONNECT_DELAY_MS = 500;

/** Integers are text to keep 64 bits, bulk strings are Buffers to keep their bytes, and statuses are text. */
const TYPE_MAPPING = { [RESP_TYPES.NUMBER]: String, [RESP_TYPES.BLOB_STRING]: Buffer };

const SUBCOMMANDS_FIELD = 9;

/** Their third word is the number of keys that follow. */
const RUNS_SCRIPT = /^(eval|evalsha|fcall)(_ro)?$/;

/** Of INFO. Valkey has both. */
const REDIS_VERSION = /^redis_version:(\S+)/m;
const VALKEY_VERSION = /^valkey_version:(\S+)/m;

const entry = z
  .tuple([z.string(), z.number(), z.array(z.string()), z.number(), z.number(), z.number(), z.array(z.string())])
  .rest(z.unknown());

/** What the server says about one command or subcommand: https://redis.io/docs/latest/commands/command/ */
export interface CommandTraits {
  readonly flags: ReadonlySet<string>;
  readonly categories: ReadonlySet<string>;
  /** Where its keys are among its words, the name being word 0. No first key is 0; a last key below 0 counts from the end. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
}

/** Traits by lower-case name; a subcommand is `config|get`. */
export type CommandTable = ReadonlyMap<string, CommandTraits>;

/** A command that may run, with its name in the command table. */
export interface Call {
  readonly command: Command;
  readonly name: string;
  readonly traits: CommandTraits;
}

/** The one connection to Redis that all requests share. Every method throws a 500 UpstashError while Redis is down. */
export interface Database {
  /** Resolves when the first attempt to connect has succeeded or failed; never rejects. */
  readonly attempted: Promise<void>;
  /** The server's command table, read once per connection. */
  commandTable(): Promise<CommandTable>;
  /** Such as `Redis 7.0.15` or `Valkey 8.1.1`. */
  serverName(): Promise<string>;
  /** Commands of one tick are sent in one write, and run in that order. */
  run(command: Command): Promise<Outcome>;
  /** Runs the commands between MULTI and EXEC. Throws a 400 UpstashError when Redis discards the transaction. */
  transact(commands: readonly Command[]): Promise<Outcome[]>;
  close(): void;
}

/**
 * Connects to the Redis at `url` and stays connected. While Redis is down, requests fail at once, and the client reconnects
 * within 0.5 s of each failed attempt. `log` receives one line when Redis is lost and one when it is back.
 * Throws a TypeError when `url` is not a Redis URL.
 */
export function openDatabase(url: string, log: (line: string) => void): Database {
  const client = createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    // No time-out: if it ended a command between MULTI and EXEC, the transaction would stay open.
    commandOptions: { typeMapping: TYPE_MAPPING, timeout: 0 },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => Math.min(20 * 2 ** retries, MAX_RECONNECT_DELAY_MS),
    },
  });
  const attempted = Promise.withResolvers<void>();
  let lost: unknown;
  let table: Promise<CommandTable> | undefined;

  client.on("ready", () => {
    if (lost) log(`redis ${hostOf(url)} is back`);
    lost = undefined;
    attempted.resolve();
  });
  client.on("error", (error: unknown) => {
    if (!lost) log(`redis ${hostOf(url)} cannot be reached: ${reasonOf(error)}; trying again until it is back`);
    lost = error;
    table = undefined;
    attempted.resolve();
  });
  // It rejects only when closed while Redis is down; every failure before that is an "error" event.
  client.connect().catch(() => attempted.resolve());

  async function run(command: Command): Promise<Outcome> {
    try {
      return { result: await client.sendCommand<unknown>(command) };
    } catch (error) {
      if (error instanceof ErrorReply) return { error: error.message };
      throw unreachable(lost ?? error);
    }
  }

  async function transact(commands: readonly Command[]): Promise<Outcome[]> {
    // Queued in one tick on one connection, so no other command can come between MULTI and EXEC.
    const outcomes = await Promise.all([["MULTI"] as const, ...commands, ["EXEC"] as const].map(run));
    return executedOf(outcomes);
  }

  async function loadTable(): Promise<CommandTable> {
    const table = new Map<string, CommandTraits>();
    addEntries(await client.sendCommand<unknown>(["COMMAND"], { typeMapping: {} }), table);
    return table;
  }

  async function commandTable(): Promise<CommandTable> {
    table ??= loadTable();
    try {
      return await table;
    } catch (error) {
      table = undefined;
      throw unreachable(lost ?? error);
    }
  }

  async function serverName(): Promise<string> {
    const outcome = await run(["INFO", "server"]);
    const info = "result" in outcome ? String(outcome.result) : "";
    const valkey = VALKEY_VERSION.exec(info)?.[1];
    return valkey === undefined ? `Redis ${REDIS_VERSION.exec(info)?.[1] ?? ""}` : `Valkey ${valkey}`;
  }

  return { attempted: attempted.promise, commandTable, serverName, run, transact, close: () => client.destroy() };
}

/** Where the keys are among the words of a command. None for a command such as XREAD, whose keys have no fixed place. */
export function keyPositions({ command, name, traits: { firstKey, lastKey, keyStep } }: Call): number[] {
  if (RUNS_SCRIPT.test(name)) return range(3, 2 + (Number(command[2]) || 0), 1);
  const last = lastKey < 0 ? command.length + lastKey : lastKey;
  return firstKey === 0 ? [] : range(firstKey, Math.min(last, command.length - 1), keyStep);
}

/** The error of every request while Redis is away. */
export function unreachable(cause: unknown): UpstashError {
  return new UpstashError(500, `ERR the database cannot be reached: ${reasonOf(cause)}`, { cause });
}

/** From the replies to MULTI, the commands and EXEC, of which the last holds those that count. */
function executedOf(outcomes: readonly Outcome[]): Outcome[] {
  const executed = outcomes.at(-1);
  if (!executed || "error" in executed) throw discarded(outcomes);
  if (!Array.isArray(executed.result)) throw new TypeError("EXEC did not reply with an array");
  return executed.result.map((reply: unknown) =>
    reply instanceof ErrorReply ? { error: reply.message } : { result: reply },
  );
}

/** EXEC says only that some command was refused; the reason is the first error, in that command's own reply. */
function discarded(outcomes: readonly Outcome[]): UpstashError {
  const [reason] = outcomes.flatMap((outcome) => ("error" in outcome ? outcome.error : []));
  return new UpstashError(400, `EXECABORT Transaction discarded because of: ${reason}`);
}

function range(first: number, last: number, step: number): number[] {
  const numbers: number[] = [];
  for (let number = first; number <= last; number += step) numbers.push(number);
  return numbers;
}

/** Host and port only: a Redis URL may hold a password. */
function hostOf(url: string): string {
  return new URL(url).host;
}

/** Adds the entries of a `COMMAND` reply in RESP2. Throws a ZodError when it is not one. */
function addEntries(reply: unknown, table: Map<string, CommandTraits>): void {
  for (const fields of z.array(entry).parse(reply)) {
    const [name, , flags, firstKey, lastKey, keyStep, categories] = fields;
    const traits = { flags: new Set(flags), categories: new Set(categories), firstKey, lastKey, keyStep };
    table.set(name.toLowerCase(), traits);
    addEntries(fields[SUBCOMMANDS_FIELD] ?? [], table);
  }
}

/**
 * The innermost reason of an error, for people: the message of fetch says only that it failed, and a connection refused on
 * every address of a host is an AggregateError without a message.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}
