import { setTimeout as sleep } from "node:timers/promises";
import { type ParseArgsConfig, parseArgs } from "node:util";
import type { z } from "zod";
import { isTokenRefused } from "../lib/redis/commands.ts";
import { reasonOf } from "../local/error-reason.ts";

/** Often enough to watch, seldom enough to leave the machine to the service. */
const POLL_INTERVAL_MS = 400;

/** Redis starts its errors with a word in capitals: WRONGTYPE, OOM, ERR. */
const REDIS_ERROR_REPLY = /^[A-Z]{3,} /;

/** As a shell reports Ctrl-C: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** A reason why a command cannot succeed, in one line for the person at the terminal. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** A mistake in the arguments or in the environment, in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
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
  readonly exitCode: number;
}

/**
 * Runs a tool with the arguments of the command line, and ends this process: with 0 after `--help`, with 1 after a
 * `Failure`, with 2 when an option is wrong. Any other error is a bug in the tool, and Node prints where.
 */
export async function runTool<Options>(tool: Tool<Options>): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // An exit runs the handlers that end Redis and every instance.
    process.once(signal, () => process.exit(INTERRUPTED));
  }
  exitOnEpipe();
  const exitCode = await run(tool, process.argv.slice(2));
  // Not by itself: now and then Node 24 loops for ever in its own clean-up (node::Environment::CleanupHandles), after
  // everything was stopped.
  process.exit(exitCode);
}

/**
 * The options of a command line, as `parseArgs` reads and a schema checks them.
 * @throws Error in one line that says which option is wrong
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  args: readonly string[],
  options: NonNullable<ParseArgsConfig["options"]>,
): z.output<Schema> {
  return validOptions(schema, parseArgs({ args: [...args], options }).values);
}

/**
 * The options of a command line, as a schema checks them.
 * @throws Error in one line that says which option is wrong
 */
export function validOptions<Schema extends z.ZodType>(schema: Schema, values: unknown): z.output<Schema> {
  const options = schema.safeParse(values);
  if (options.success) return options.data;
  throw new Error(options.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`).join("; "));
}

/**
 * Polls until `read` finds something.
 * @param timeoutMs when to give up; it reads at least once
 * @param timeoutMessage for the time-out, given the number of seconds
 * @throws Failure at the time-out, and whatever `read` throws
 */
export async function waitFor<Found>(
  read: () => Promise<Found | undefined>,
  timeoutMs: number,
  timeoutMessage: (seconds: number) => string,
): Promise<Found> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) throw new Failure(timeoutMessage(timeoutMs / 1_000));
    await sleep(Math.min(POLL_INTERVAL_MS, remainingMs));
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
  if (reason.startsWith("NOPERM")) return failure(`The token may only read at ${url}: ${remedy}`);
  if (isTokenRefused(error)) return failure(`The token is refused at ${url}: ${remedy}`);
  // Redis was reached and replied with an error: no other address or token would help.
  if (REDIS_ERROR_REPLY.test(reason)) return failure(`Redis refused the command: ${reason}`);
  return failure(`Cannot use Redis at ${url} (${reason}): ${remedy}`);

  function failure(message: string): Failure {
    return new Failure(message, { cause: error });
  }
}

async function run<Options>(tool: Tool<Options>, args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) return print(tool.usage, EXIT.ok);
  let options: Options;
  try {
    options = tool.readOptions(args);
  } catch (error) {
    process.stderr.write(`${reasonOf(error)}\n\n${tool.usage}`);
    return EXIT.usage;
  }
  try {
    const { output, exitCode } = await tool.run(options);
    return await print(output, exitCode);
  } catch (error) {
    if (!(error instanceof Failure || error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

async function print(output: string, exitCode: number): Promise<number> {
  await new Promise((resolve) => process.stdout.write(output, resolve));
  return exitCode;
}

/** `list | head` closes the pipe: that is no failure. */
function exitOnEpipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(EXIT.ok);
  });
}
