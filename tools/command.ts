import { setTimeout as sleep } from "node:timers/promises";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { markdownTable } from "markdown-table";
import { z } from "zod";
import { isTokenRefused } from "../lib/redis/commands.ts";
import { reasonOf } from "../local/error-reason.ts";
import { bypassProxyForLoopback } from "../local/proxy.ts";

/** Often enough to watch, seldom enough to leave the machine to the service. */
export const POLL_INTERVAL_MS = 400;

/** Redis starts its errors with a word in capitals: WRONGTYPE, OOM, ERR. */
const REDIS_ERROR_REPLY = /^[A-Z]{3,} /;

/** As a shell reports Ctrl-C: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * A Markdown table whose columns are aligned, so that it is read at a terminal too.
 * @param numbersFrom the first column that is aligned to the right; default: none
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numbersFrom = head.length }: { readonly numbersFrom?: number } = {},
): string {
  return markdownTable([head, ...rows], { align: head.map((_, column) => (column >= numbersFrom ? "right" : null)) });
}

/** A reason why a command cannot succeed, in one line for the person at the terminal. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** A command that a person runs. */
export interface Tool<Options> {
  readonly usage: string;
  /** @throws Error in one line that says which option is wrong */
  readonly readOptions: (args: readonly string[]) => Options;
  readonly run: (options: Options) => Promise<Outcome>;
}

export interface Outcome {
  /** For standard output. */
  readonly output: string;
  /** Default 0. */
  readonly exitCode?: number;
}

/**
 * Runs a tool with the arguments of the command line, and ends this process: with 0 after `--help`, with 1 after a
 * `Failure`, with 2 when an option is wrong. Any other error is a bug in the tool, and Node prints where.
 */
export async function runTool<Options>(tool: Tool<Options>): Promise<never> {
  bypassProxyForLoopback();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // An exit runs the handlers that end Redis and every instance.
    process.once(signal, () => process.exit(INTERRUPTED));
  }
  // `list | head` closes the pipe: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  const { output, exitCode = 0 } = await outcomeOf(tool, process.argv.slice(2));
  await new Promise((resolve) => process.stdout.write(output, resolve));
  // An exit drops what a slow reader has not taken yet.
  await new Promise((resolve) => process.stderr.write("", resolve));
  // Explicitly, because Node 24 sometimes loops forever in its own clean-up (node::Environment::CleanupHandles) after
  // everything has stopped.
  process.exit(exitCode);
}

/**
 * The options of a command line: a flag for each boolean of the schema, a value for every other property, and all other
 * arguments in `positionals` if the schema has it.
 * @throws Error in one line that says which option is wrong
 */
export function parseOptions<Schema extends z.ZodObject>(schema: Schema, args: readonly string[]): z.output<Schema> {
  const allowPositionals = "positionals" in schema.shape;
  const { values, positionals } = parseArgs({ args: [...args], options: optionsOf(schema), allowPositionals });
  const parsed = schema.safeParse({ ...values, ...(allowPositionals && { positionals }) });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path[0] === "positionals" ? message : `--${path.join(".")}: ${message}`,
  );
  throw new Error(problems.join("; "));
}

/**
 * Polls until `read` finds something.
 * @param timeoutMs when to give up; it reads at least once
 * @param pauseMs how long to wait before the next read
 * @throws Failure with `timeoutMessage` at the time-out, and whatever `read` throws
 */
export async function waitFor<Found>(
  read: () => Promise<Found | undefined>,
  timeoutMs: number,
  timeoutMessage: () => string,
  pauseMs: () => number = () => POLL_INTERVAL_MS,
): Promise<Found> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) throw new Failure(timeoutMessage());
    await sleep(Math.min(pauseMs(), remainingMs));
  }
}

/**
 * What a person can do about a failed call to Redis, in one line.
 * @param url the REST address that was called
 * @param error as `redisFailure` makes it, without command and token
 * @param remedy which variables to set, and to what
 */
export function describeRedisError(url: string, error: unknown, remedy: string): Failure {
  const reason = reasonOf(error);
  let message = `Cannot use Redis at ${url} (${reason}): ${remedy}`;
  if (reason.startsWith("NOPERM")) message = `The token may only read at ${url}: ${remedy}`;
  else if (isTokenRefused(error)) message = `The token is refused at ${url}: ${remedy}`;
  // Redis was reached and replied with an error: no other address or token would help.
  else if (REDIS_ERROR_REPLY.test(reason)) message = `Redis refused the command: ${reason}`;
  return new Failure(message, { cause: error });
}

/** Shows the person at the terminal the progress of a tool. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function outcomeOf<Options>(tool: Tool<Options>, args: readonly string[]): Promise<Outcome> {
  if (args.includes("--help") || args.includes("-h")) return { output: tool.usage };
  let options: Options;
  try {
    options = tool.readOptions(args);
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n\n${tool.usage}`);
    return { output: "", exitCode: 2 };
  }
  try {
    return await tool.run(options);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.message}\n`);
    return { output: "", exitCode: 1 };
  }
}

function optionsOf(schema: z.ZodObject): NonNullable<ParseArgsConfig["options"]> {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" });
  const isFlag = (name: string) => z.object({ type: z.literal("boolean") }).safeParse(properties[name]).success;
  const names = Object.keys(properties).filter((name) => name !== "positionals");
  return Object.fromEntries(names.map((name) => [name, { type: isFlag(name) ? "boolean" : "string" }]));
}
