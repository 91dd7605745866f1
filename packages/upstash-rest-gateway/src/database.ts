import { createClient, ErrorReply, RESP_TYPES } from "redis";
import type { Command } from "./command.ts";
import { type CommandTable, readCommandTable } from "./command-table.ts";
import { reasonOf } from "./reason.ts";
import { Refusal } from "./refusal.ts";
import type { Outcome } from "./reply.ts";

const CONNECT_TIMEOUT_MS = 1000;
const LONGEST_RECONNECT_DELAY_MS = 500;

/** Integers as text keep their 64 bits, bulk strings as Buffers their bytes. Statuses are text, and so told apart. */
const TYPE_MAPPING = { [RESP_TYPES.NUMBER]: String, [RESP_TYPES.BLOB_STRING]: Buffer };

/** The one connection to Redis that all requests share. Every method throws a 500 Refusal while Redis is away. */
export interface Database {
  /** Settles when the first attempt to connect has ended, well or not; never rejects. */
  readonly attempted: Promise<void>;
  /** What the server knows about its commands; asked once a connection. */
  commandTable(): Promise<CommandTable>;
  /** Commands that are run in one tick go out in one write and are done in that order. */
  run(command: Command): Promise<Outcome>;
  /** Runs the commands between MULTI and EXEC. Throws a 400 Refusal when Redis discards the transaction. */
  transact(commands: readonly Command[]): Promise<Outcome[]>;
  close(): void;
}

/**
 * Connects to the Redis at `url` and stays connected: while it is away requests fail at once, and it is tried again
 * within 0.5 s of every failed attempt. `log` gets one line when Redis is lost and one when it is back.
 * Throws a TypeError when `url` is not a Redis URL.
 */
export function openDatabase(url: string, log: (line: string) => void): Database {
  const client = createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    // No time-out: one that hit a command between MULTI and EXEC would leave the others in an open transaction.
    commandOptions: { typeMapping: TYPE_MAPPING, timeout: 0 },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => Math.min(20 * 2 ** retries, LONGEST_RECONNECT_DELAY_MS),
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
  // It rejects only when closed while it is away; every failure before that is an "error" event.
  client.connect().catch(() => attempted.resolve());

  async function run(command: Command): Promise<Outcome> {
    try {
      return { result: await client.sendCommand<unknown>(command) };
    } catch (error) {
      if (error instanceof ErrorReply) return { error: error.message };
      throw unreachable(error);
    }
  }

  async function transact(commands: readonly Command[]): Promise<Outcome[]> {
    // Queued in one tick on one connection: nobody else's command can come between MULTI and EXEC.
    const outcomes = await Promise.all([["MULTI"] as const, ...commands, ["EXEC"] as const].map(run));
    return executedOf(outcomes);
  }

  async function loadTable(): Promise<CommandTable> {
    const reply = await client.sendCommand<unknown>(["COMMAND"], { typeMapping: {} });
    return readCommandTable(reply);
  }

  async function commandTable(): Promise<CommandTable> {
    table ??= loadTable();
    try {
      return await table;
    } catch (error) {
      table = undefined;
      throw unreachable(error);
    }
  }

  function unreachable(error: unknown): Refusal {
    const cause = lost ?? error;
    return new Refusal(500, `ERR the database cannot be reached: ${reasonOf(cause)}`, { cause });
  }

  return { attempted: attempted.promise, commandTable, run, transact, close: () => client.destroy() };
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
function discarded(outcomes: readonly Outcome[]): Refusal {
  const [reason] = outcomes.flatMap((outcome) => ("error" in outcome ? outcome.error : []));
  return new Refusal(400, `EXECABORT Transaction discarded because of: ${reason}`);
}

/** Host and port only: a Redis URL may hold a password. */
function hostOf(url: string): string {
  return new URL(url).host;
}
