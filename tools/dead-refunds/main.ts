import { createInterface } from "node:readline/promises";
import type { Redis } from "@upstash/redis";
import { RedisEnv } from "../../lib/env/redis.ts";
import { OrderError } from "../../lib/errors.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { localEnvironment } from "../../local/environment.ts";
import { readSettings } from "../../local/settings.ts";
import { Failure } from "../failure.ts";
import { redisTrouble } from "../redis-failure.ts";
import { readTask, type Task, USAGE, UsageError } from "./arguments.ts";
import { drop } from "./drop.ts";
import { list } from "./list.ts";
import { replay, replayAll } from "./replay.ts";
import { print } from "./show.ts";

const REMEDY =
  "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to the database's and its standard token, or begin npm start";

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/**
 * The command as the shell sees it.
 * @param args without Node and the file's name
 * @returns the exit code; what went wrong was said in one line on standard error
 */
export async function main(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  endWithReader();
  try {
    const task = readTask(args);
    if (task.name === "drop" && task.asks && !process.stdin.isTTY) {
      throw new UsageError("drop asks before it deletes, which needs a terminal: --yes does not ask");
    }
    const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = databaseOf(env);
    const redis = createRedis({ UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN });
    return (await perform(task, redis).catch(explain(UPSTASH_REDIS_REST_URL))) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    process.stderr.write(`${said(error)}\n`);
    if (!(error instanceof UsageError)) return EXIT.failed;
    process.stderr.write("All there is: npm run refunds:dead -- --help\n");
    return EXIT.usage;
  }
}

async function perform(task: Task, redis: Redis): Promise<boolean> {
  if (task.name === "list") return list(redis);
  if (task.name === "replay-all") return replayAll(redis);
  if (task.name === "replay") return replay(redis, task.ids);
  if (task.name === "drop") return drop(redis, task.ids, task.asks ? ask : async () => true);
  await print(USAGE.trimEnd());
  return true;
}

/** @throws UsageError that names the variables that are wrong */
function databaseOf(env: NodeJS.ProcessEnv): RedisEnv {
  try {
    // Only the database's part of what the functions get is used: region and target do not matter.
    return RedisEnv.parse(localEnvironment(readSettings(env), "", ""));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
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

/** `list | head` closes the pipe: that is no failure. */
function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(EXIT.ok);
  });
}

function explain(url: string) {
  return (error: unknown): never => {
    if (error instanceof OrderError && error.code === "redis_failed") throw redisTrouble(url, error, REMEDY);
    throw error;
  };
}

function said(error: unknown): string {
  if (error instanceof Failure || error instanceof UsageError) return error.message;
  return reasons(error).join(": ");
}

function reasons(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  return [error.message.replace(/\.$/, ""), ...(error.cause === undefined ? [] : reasons(error.cause))];
}
