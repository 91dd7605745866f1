import "./without-metrics.ts";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { createInterface } from "node:readline/promises";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ServiceError } from "../../lib/errors.ts";
import { createRedis, type RedisEnv } from "../../lib/redis/client.ts";
import { reasonOf } from "../../local/error-reason.ts";
import { readSettings, TOKEN } from "../../local/settings.ts";
import { describeRedisError, Failure, parseOptions, runTool } from "../command.ts";

const USAGE = `npm run refunds:dead -- [--local] list
npm run refunds:dead -- [--local] replay <which>
npm run refunds:dead -- [--local] drop <which> [--yes]

Lists the refund requests that were refused (dead letters), puts them back to be processed again, or deletes them.

  list     how many there are of each reason, then each, oldest first: its id, its reason, its time, and the id of the original request
  replay   puts dead letters back on refund_order: do it once the cause is fixed
  drop     counts dead letters, shows the first 100 and deletes all of them; --yes does not ask
  --local  the database of npm start on this machine, at ORDERS_UPSTASH_PORT (8079)

<which> is one of:

  <id>…              these
  -                  the ids on standard input, of which there can be any number
  --reason <reason>  all with this reason, such as malformed_pk
  --all              all that exist now

Without --local it is the database of UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN. Ends with 0; with 1 when
something failed or an id was not found; with 2 on wrong usage.
`;

const NO_DATABASE =
  "No database is given. Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or add --local for the database of npm start";
const REMEDY =
  "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to the database's and its standard token, or use --local with npm start";

/** In place of ids: they are on standard input. */
const INPUT = "-";

const COMMANDS = ["list", "replay", "drop"] as const;

const Options = z.object({
  positionals: z.array(z.string()),
  all: z.boolean().default(false),
  reason: z.string().min(1).optional(),
  yes: z.boolean().default(false),
  local: z.boolean().default(false),
});

// Imported by its tests too, which then read tasks only.
if (import.meta.main) {
  importLuaAsText();
  await runTool({ usage: USAGE, readOptions: (args) => readOptions(args, process.env), run });
}

/** @throws Error in one line that says which argument or variable is wrong */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { all, reason, yes, local, ...options } = parseOptions(Options, args);
  const [name, ...ids] = options.positionals;
  const command = COMMANDS.find((known) => known === name);
  if (!command) throw new Error(name === undefined ? "No command is given" : `There is no command ${name}`);
  if (yes && command !== "drop") throw new Error("--yes is for drop");
  const given = [ids.length > 0, all, reason !== undefined].filter(Boolean).length;
  if (command === "list" && given > 0) throw new Error("list takes no ids, --reason or --all");
  if (given > 1) throw new Error(`${command} takes ids, --reason or --all, and only one of them`);
  if (command !== "list" && given === 0)
    throw new Error("No ids are given: list shows them. Or give --reason or --all");
  const fromInput = ids.length === 1 && ids[0] === INPUT;
  if (!fromInput) assertIds(ids);
  if (command === "drop" && !yes && (fromInput || !process.stdin.isTTY)) {
    throw new Error("drop asks before it deletes, which needs a terminal. Add --yes to delete without asking");
  }
  const selection = reason === undefined ? (all ? "all" : { ids: unique(ids) }) : { reason };
  return { command, selection: fromInput ? INPUT : selection, yes, database: readDatabase(env, local) } as const;
}

/** @throws Error in one line that names the first that is not an id */
function assertIds(ids: readonly string[]): void {
  const invalid = ids.find((id) => !isStreamId(id));
  if (invalid !== undefined) throw new Error(`${JSON.stringify(invalid)} is not the id of a dead letter`);
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

/** @throws Failure when something on standard input is not an id */
async function readIds(input: Readable): Promise<string[]> {
  const ids = unique((await text(input)).split(/\s+/).filter(Boolean));
  try {
    assertIds(ids);
  } catch (error) {
    throw new Failure(`On standard input ${reasonOf(error)}`, { cause: error });
  }
  return ids;
}

/** Whether it is an id as Redis writes it: two unsigned 64-bit numbers without leading zeros. */
function isStreamId(id: string): boolean {
  return /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(id) && id.split("-").every((part) => BigInt(part) < 2n ** 64n);
}

function readDatabase(env: NodeJS.ProcessEnv, local: boolean): RedisEnv {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, ORDERS_UPSTASH_PORT } = readSettings(env);
  if (local) {
    return { UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${ORDERS_UPSTASH_PORT}`, UPSTASH_REDIS_REST_TOKEN: TOKEN };
  }
  if (!UPSTASH_REDIS_REST_URL || !UPSTASH_REDIS_REST_TOKEN) throw new Error(NO_DATABASE);
  return { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN };
}

/**
 * @param input has the ids when they are given as `-`
 * @throws Failure in one line when Redis fails
 */
export async function run(
  { command, selection: given, yes, database }: ReturnType<typeof readOptions>,
  input: Readable = process.stdin,
) {
  const selection = given === INPUT ? { ids: await readIds(input) } : given;
  // After the hook for Lua files is registered: static imports are loaded before.
  const { drop, list, replay } = await import("./dead-letters.ts");
  const redis = createRedis(database);
  process.stderr.write(`Database: ${database.UPSTASH_REDIS_REST_URL}\n`);
  const tasks = {
    list: () => list(redis),
    replay: () => replay(redis, selection),
    drop: () => drop(redis, selection, yes ? async () => true : ask),
  };
  try {
    return { output: "", exitCode: (await tasks[command]()) ? 0 : 1 };
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

/** Has plain Node import scripts `with { type: "text" }`, as the bundler does. */
function importLuaAsText(): void {
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.endsWith(".lua")) return nextLoad(url, context);
      const text = readFileSync(new URL(url), "utf8");
      return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
    },
  });
}
