import type { z } from "zod";

/** A command that starts many processes, and tells its progress on standard error. */
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

/** Runs a tool with the arguments of the command line, and ends this process: with 2 when an option is wrong. */
export async function runTool<Options>(tool: Tool<Options>): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // An exit runs the handlers that end Redis and every instance.
    process.once(signal, () => process.exit(130));
  }
  const exitCode = await run(tool);
  // Not by itself: now and then Node 24 turns for ever in its own clean-up (node::Environment::CleanupHandles), after
  // everything was stopped.
  process.exit(exitCode);
}

/**
 * Options of the command line as their schema has them.
 * @throws Error in one line that says which option is wrong
 */
export function validOptions<Schema extends z.ZodType>(schema: Schema, values: unknown): z.output<Schema> {
  const options = schema.safeParse(values);
  if (options.success) return options.data;
  throw new Error(options.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`).join("; "));
}

async function run<Options>({ usage, readOptions, run: work }: Tool<Options>): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  const { output, exitCode } = await work(options);
  await new Promise((resolve) => process.stdout.write(output, resolve));
  return exitCode;
}
