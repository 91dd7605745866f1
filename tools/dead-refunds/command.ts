import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { ServiceError } from "../../lib/errors.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { readSettings, TOKEN } from "../../local/settings.ts";
import { describeRedisError, EXIT, type Outcome, runTool, UsageError } from "../command.ts";

const USAGE = `npm run refunds:dead -- [--local] list
npm run refunds:dead -- [--local] replay <id>… | replay --all
npm run refunds:dead -- [--local] drop <id>… [--yes]

Lists the refund requests that were refused (dead letters), puts them back to be processed again, or deletes them.

  list     every dead letter, oldest first: its id, its reason, its time, and the id of the original request
  replay   puts dead letters back on refund_order: do it once the cause is fixed
  drop     shows dead letters and deletes them; --yes does not ask
  --local  the database of npm start on this machine, at ORDERS_UPSTASH_PORT (8079)

Without --local it is the database of UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN. Ends with 0; with 1 when
something failed or an id was not found; with 2 on wrong usage.
`;

const NO_DATABASE =
  "No database is given. Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or add --local for the database of npm start";
const REMEDY =
  "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to the database's and its standard token, or use --local with npm start";

interface Task {
  readonly name: "list" | "replay" | "replayAll" | "drop";
  readonly ids: readonly string[];
  /** Whether `drop` asks before it deletes. */
  readonly asks: boolean;
}

interface Database {
  readonly UPSTASH_REDIS_REST_URL: string;
  readonly UPSTASH_REDIS_REST_TOKEN: string;
}

// Imported by its tests too, which then read tasks only.
if (import.meta.main) {
  // The service's metrics are lines on standard output, which here belongs to a person.
  process.env.POWERTOOLS_METRICS_DISABLED = "true";
  importLuaAsText();
  await runTool({ usage: USAGE, readOptions: (args) => readOptions(args, process.env), run });
}

/** @throws Error in one line that says which argument or variable is wrong */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { all: { type: "boolean" }, yes: { type: "boolean" }, local: { type: "boolean" } },
  });
  const task = readTask(positionals, values);
  if (task.name === "drop" && task.asks && !process.stdin.isTTY) {
    throw new UsageError("drop asks before it deletes, which needs a terminal. Add --yes to delete without asking");
  }
  return { task, database: readDatabase(env, values.local ?? false) };
}

function readTask([command, ...ids]: readonly string[], { all, yes }: { all?: boolean; yes?: boolean }): Task {
  if (yes && command !== "drop") throw new UsageError("--yes is for drop");
  if (all && command !== "replay") throw new UsageError("--all is for replay");
  const asks = !yes;
  if (command === "list" && ids.length > 0) throw new UsageError("list takes no ids");
  if (all && ids.length > 0) throw new UsageError("replay takes ids or --all, not both");
  if (command === "list") return { name: command, ids, asks };
  if (all) return { name: "replayAll", ids, asks };
  if (command === "replay" || command === "drop") return { name: command, ids: deadLetterIds(ids), asks };
  throw new UsageError(command === undefined ? "No command is given" : `There is no command ${command}`);
}

function deadLetterIds(ids: readonly string[]): string[] {
  const invalid = ids.find((id) => !isStreamId(id));
  if (invalid !== undefined) throw new UsageError(`${JSON.stringify(invalid)} is not the id of a dead letter`);
  if (ids.length === 0) throw new UsageError("No ids are given: list shows them");
  return [...new Set(ids)];
}

/** Whether it is an id as Redis writes it: two unsigned 64-bit numbers without leading zeros. */
function isStreamId(id: string): boolean {
  return /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(id) && id.split("-").every((part) => BigInt(part) < 2n ** 64n);
}

function readDatabase(env: NodeJS.ProcessEnv, local: boolean): Database {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, ORDERS_UPSTASH_PORT } = readSettings(env);
  if (local) {
    return { UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${ORDERS_UPSTASH_PORT}`, UPSTASH_REDIS_REST_TOKEN: TOKEN };
  }
  if (!UPSTASH_REDIS_REST_URL || !UPSTASH_REDIS_REST_TOKEN) throw new UsageError(NO_DATABASE);
  return { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN };
}

/** @throws Failure in one line when Redis fails */
export async function run({ task, database }: { task: Task; database: Database }): Promise<Outcome> {
  // After the hook for Lua files is registered: static imports are loaded before.
  const { drop, list, replay, replayAll } = await import("./tasks.ts");
  const redis = createRedis(database);
  process.stderr.write(`Database: ${database.UPSTASH_REDIS_REST_URL}\n`);
  try {
    const ok = await {
      list: () => list(redis),
      replayAll: () => replayAll(redis),
      replay: () => replay(redis, task.ids),
      drop: () => drop(redis, task.ids, task.asks ? ask : async () => true),
    }[task.name]();
    return { output: "", exitCode: ok ? EXIT.ok : EXIT.failed };
  } catch (error) {
    if (error instanceof ServiceError && error.code === "redis_failed") {
      throw describeRedisError(database.UPSTASH_REDIS_REST_URL, error, REMEDY);
    }
    throw error;
  }
}

async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** Gives plain Node what the bundler gives the functions: scripts imported `with { type: "text" }`. */
function importLuaAsText(): void {
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.endsWith(".lua")) return nextLoad(url, context);
      const text = readFileSync(new URL(url), "utf8");
      return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
    },
  });
}
