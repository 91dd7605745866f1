import type { SourceMap } from "node:module";

/** Where a frame is in the bundle that this module is part of. */
const BUNDLE_POSITION = new RegExp(`${RegExp.escape(import.meta.url)}:(\\d+):(\\d+)`, "g");

const FIRST_OWN_FRAME = /\(((?!.*node_modules).+:\d+):\d+\)$/m;

let sourceMap: SourceMap | undefined;

/**
 * For `JSON.stringify` in the logger: an error with its stack and the first source line of ours in it, and its causes by name and message alone. Their
 * stacks would repeat the frames.
 */
export function loggedError(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const stack = inSources(value.stack ?? "");
  const location = FIRST_OWN_FRAME.exec(stack)?.[1];
  return { ...described(value), location, stack };
}

function described(error: Error): object {
  const { name, message, cause } = error;
  return { ...error, name, message, cause: cause instanceof Error ? described(cause) : cause };
}

/** The stack with the positions of the sources that were bundled, as `lib/redis/failure.ts:23:10`. */
function inSources(stack: string): string {
  return stack.replaceAll(BUNDLE_POSITION, (position, line, column) => {
    sourceMap ??= readSourceMap();
    const origin = sourceMap?.findEntry(Number(line) - 1, Number(column) - 1);
    if (!origin || !("originalSource" in origin)) return position;
    return `${origin.originalSource.replace(/^(\.\.\/)+/, "")}:${origin.originalLine + 1}:${origin.originalColumn + 1}`;
  });
}

/**
 * The map beside the bundle; undefined where this module was not bundled. Reading it takes 55 ms, at the first error of an
 * instance. Node's own `--enable-source-maps` adds 10 to 30 ms of CPU and 6 MB to each cold start (measured on Node 24.21).
 */
function readSourceMap(): SourceMap | undefined {
  try {
    const { SourceMap } = process.getBuiltinModule("node:module");
    const { readFileSync } = process.getBuiltinModule("node:fs");
    return new SourceMap(JSON.parse(readFileSync(new URL(`${import.meta.url}.map`), "utf8")));
  } catch {
    return undefined;
  }
}
