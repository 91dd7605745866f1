import type { Command } from "./command.ts";
import { type Call, type Database, keyPositions } from "./database.ts";
import { pendingQuestion } from "./pending.ts";

const MIB = 1024 * 1024;

const PAGES = "https://upstash.com/docs/redis/troubleshooting";

/** A script can write every key that it declares. */
const SCRIPTS = new Set(["eval", "evalsha", "fcall"]);

/** A measurement is valid for the time in which this rate (1 GB/s) would fill the free space, and at most a second. */
const FILL_BYTES_PER_MS = MIB;
const MAX_TRUST_MS = 1000;

/** The size of the first of KEYS that takes more than ARGV[1] bytes, as the server samples it; one round trip for all. */
const FIRST_LARGER = `
for _, key in ipairs(KEYS) do
  local bytes = redis.call('MEMORY', 'USAGE', key)
  if bytes and bytes > tonumber(ARGV[1]) then return bytes end
end
return false`;

/** The limits above which a database refuses requests, as Upstash does. */
export interface Limits {
  /** The bytes of a request's body. */
  readonly requestBytes: number;
  /** The maximum memory of a key that can still be written to, in bytes. */
  readonly recordBytes: number;
  /** The maximum memory of all data while writes are accepted, in bytes. */
  readonly databaseBytes: number;
  /** The maximum number of entries that a consumer has read but not acknowledged. */
  readonly pendingPerConsumer: number;
}

/** The limits of Upstash's Pay-as-you-go plan: https://upstash.com/pricing/redis, and the pages named at each error. */
export const PAY_AS_YOU_GO: Limits = {
  requestBytes: 10 * MIB,
  recordBytes: 100 * MIB,
  databaseBytes: 100 * 1024 * MIB,
  pendingPerConsumer: 1000,
};

/** @returns the error with which Upstash refuses the command, or undefined */
export type LimitCheck = (call: Call) => Promise<string | undefined>;

/**
 * Checks commands against `limits`; `requestBytes` is checked when the body is read. Reads and deletes always pass, so that
 * clients can free space. It refuses the commands that Redis refuses when it is out of memory (flag `denyoom`), and
 * every script that may write. This is approximate:
 * - Sizes are memory of Redis; Upstash counts stored data. The size of a key is sampled, and keys are checked only while all
 *   memory of the server is above `recordBytes`.
 * - A write is refused after the limit was exceeded. Upstash may refuse the write that would exceed it.
 * - A script is refused for any key that it declares. Users of Upstash report that a full database refuses a script that
 *   only reads; what a full record does with such a script is not documented.
 * - One refused command discards a transaction.
 */
export function createLimitCheck(limits: Limits, database: Database): LimitCheck {
  let memory = { serverBytes: 0, dataBytes: 0 };
  let trustedUntilMs = 0;

  async function measureMemory() {
    if (performance.now() < trustedUntilMs) return memory;
    const info = await ask(["INFO", "memory"]);
    const serverBytes = fieldOf(info, "used_memory");
    const dataBytes = fieldOf(info, "used_memory_dataset");
    // Redis subtracts its overhead without a sign, so an almost empty database may seem to have 2^64 bytes (`object.c`).
    memory = { serverBytes, dataBytes: dataBytes > serverBytes ? 0 : dataBytes };
    const recordRoom = limits.recordBytes - memory.serverBytes;
    const room = Math.min(limits.databaseBytes - memory.dataBytes, recordRoom > 0 ? recordRoom : Infinity);
    trustedUntilMs = performance.now() + Math.min(room / FILL_BYTES_PER_MS, MAX_TRUST_MS);
    return memory;
  }

  /** https://upstash.com/docs/redis/troubleshooting/max_record_size_exceeded; sizes and link are as in the other errors. */
  async function recordProblem(keys: readonly Command[number][]): Promise<string | undefined> {
    const bytes = await ask(["EVAL_RO", FIRST_LARGER, String(keys.length), ...keys, String(limits.recordBytes)]);
    if (typeof bytes !== "string") return undefined;
    const sizes = `Limit: ${limits.recordBytes} bytes, Actual: ${bytes} bytes`;
    return `ERR max single record size exceeded. ${sizes}. See ${PAGES}/max_record_size_exceeded for details`;
  }

  /** The server's reply, or undefined for an error: a user's own Redis may not allow the command. */
  async function ask(command: Command): Promise<unknown> {
    const outcome = await database.run(command);
    return "error" in outcome ? undefined : outcome.result;
  }

  return async (call) => {
    const { command, name, traits } = call;
    if (name === "xreadgroup") {
      const problem = await ask(pendingQuestion(limits.pendingPerConsumer, command));
      return Buffer.isBuffer(problem) ? String(problem) : undefined;
    }
    if (!traits.flags.has("denyoom") && !SCRIPTS.has(name)) return undefined;
    const { serverBytes, dataBytes } = await measureMemory();
    if (dataBytes > limits.databaseBytes) return capacityExceeded(limits.databaseBytes, dataBytes);
    return serverBytes > limits.recordBytes ? recordProblem(keysOf(call)) : undefined;
  };
}

/** https://upstash.com/docs/redis/troubleshooting/db_capacity_quota_exceeded; sizes and link are as users quote them. */
function capacityExceeded(threshold: number, usage: number): string {
  const sizes = `Threshold: ${threshold} bytes, Usage: ${usage} bytes`;
  return `ERR DB capacity quota exceeded. ${sizes}. See ${PAGES}/db_capacity_quota_exceeded for details`;
}

function keysOf(call: Call): Command[number][] {
  return keyPositions(call).flatMap((position) => call.command[position] ?? []);
}

/** A field of an INFO reply; 0 when there is none. */
function fieldOf(info: unknown, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(String(info))?.[1] ?? 0);
}
