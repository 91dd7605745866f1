import type { Command } from "./command.ts";
import { type Call, type Database, keyPositions } from "./database.ts";
import type { Outcome } from "./reply.ts";

/** Begins the name of an old value while a command reads it. People do not choose such names. */
const PAST = "\u0000upstash-rest-gateway:past:";

/** Scripts that may write; the server has no flag for them. */
const WRITING_SCRIPTS = new Set(["eval", "evalsha", "fcall"]);

/** Microseconds of real time, but later than every moment before. */
type Moment = number;

/** A key as it was until a write. */
interface Version {
  readonly key: string;
  readonly until: Moment;
  /** Its value in the format of DUMP, and when it expires, in ms. */
  readonly value: Promise<readonly [dump: Outcome, expiry: Outcome]>;
}

/** The commands of one request. */
export interface Session {
  run(call: Call): Promise<Outcome>;
  /** On the primary, so its reads see every write. */
  transact(calls: readonly Call[]): Promise<Outcome[]>;
  /** The value of `upstash-sync-token`: what the client has seen by now. */
  syncToken(): string;
}

/**
 * Opens sessions whose reads see their keys as they were `lagMs` ago, or at the request's sync token if that is later. Before a
 * write, the values of its keys are kept for that long. A read of such a key restores the old value beside it, reads that,
 * and deletes it, in one transaction.
 */
export function createReadLag(database: Database, lagMs: () => number): (syncToken?: string) => Session {
  let versions: Version[] = [];
  let last: Moment = 0;

  function now(): Moment {
    last = Math.max(last + 1, Date.now() * 1000);
    return last;
  }

  const past = (): Moment => now() - lagMs() * 1000;

  /** In the same tick as the write itself, so that no other write comes between. */
  function keep({ command }: Call, positions: readonly number[]): void {
    const oldest = past();
    versions = versions.filter(({ until }) => until > oldest);
    for (const position of positions) {
      const key = command[position] ?? "";
      const value = Promise.all([database.run(["DUMP", key]), database.run(["PEXPIRETIME", key])]);
      value.catch(() => undefined); // Redis is away, so the write fails too
      versions.push({ key: textOf(key), until: now(), value });
    }
  }

  async function readAt(moment: Moment, { command }: Call, positions: readonly number[]): Promise<Outcome> {
    const [name, ...args] = command;
    const restores: Command[] = [];
    const names: string[] = [];
    for (const position of positions) {
      const key = textOf(command[position] ?? "");
      const version = versions.find((other) => other.key === key && other.until > moment);
      if (!version) continue;
      const pastKey = `${PAST}${position}`;
      names.push(pastKey);
      args[position - 1] = pastKey;
      const [dump, expiry] = await version.value;
      if (!("result" in dump) || !Buffer.isBuffer(dump.result)) continue; // it did not exist
      const expiryMs = "result" in expiry ? Math.max(0, Number(expiry.result)) : 0;
      restores.push(["RESTORE", pastKey, String(expiryMs), dump.result, "REPLACE", "ABSTTL"]);
    }
    if (names.length === 0) return database.run(command);
    const outcomes = await database.transact([...restores, [name, ...args], ["DEL", ...names]]);
    return outcomes.at(-2) ?? { error: "ERR the gateway failed" };
  }

  return (syncToken = "") => {
    const known = Math.min(Number.parseInt(syncToken, 36) || 0, now());
    let seen = Math.max(known, past());

    function beforeWrite(call: Call): void {
      if (lagMs() > 0) keep(call, keyPositions(call));
    }

    return {
      async run(call) {
        const positions = keyPositions(call);
        if (!mayWrite(call)) return versions.length > 0 ? readAt(seen, call, positions) : database.run(call.command);
        beforeWrite(call);
        const outcome = await database.run(call.command);
        seen = now();
        return outcome;
      },
      async transact(calls) {
        for (const call of calls) if (mayWrite(call)) beforeWrite(call);
        const outcomes = await database.transact(calls.map(({ command }) => command));
        seen = now();
        return outcomes;
      },
      syncToken: () => seen.toString(36),
    };
  };
}

function mayWrite({ name, traits }: Call): boolean {
  return traits.flags.has("write") || WRITING_SCRIPTS.has(name);
}

/** A character per byte, so that different keys stay different. */
function textOf(word: Command[number]): string {
  return Buffer.from(word).toString("latin1");
}
