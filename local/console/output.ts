import { z } from "zod";

const MAX_INVOCATIONS = 200;
const MAX_LINES = 50;

/** serverless-offline's line at the end of an invocation. */
const ENDED = /^\(λ: (\w+)\) RequestId: (\S+) {2}Duration: ([\d.]+) ms/;

const LogLine = z.looseObject({
  level: z.string(),
  message: z.string(),
  timestamp: z.string(),
  cold_start: z.boolean().optional(),
  function_request_id: z.string(),
});

interface Logged {
  /** Whether a line is an error. */
  failed: boolean;
  /** Undefined when it logged nothing, as a read does. */
  start?: "cold" | "warm";
  /** `LEVEL message {fields}`. */
  readonly lines: string[];
}

/** An invocation of a function, with what it logged. */
export interface Invocation {
  readonly id: string;
  readonly name: string;
  readonly durationMs: number;
  readonly endedAt: number;
  readonly logged: Readonly<Logged>;
}

/**
 * Keeps the newest invocations that this process prints: functions write their log lines to standard output, and
 * serverless-offline one line for each invocation to standard error. What is printed stays as it is.
 */
export function captureInvocations(): () => readonly Invocation[] {
  const invocations: Invocation[] = [];
  /** By request id. Lines come from other threads, so some arrive after the end of their invocation. */
  const logged = new Map<string, Logged>();

  function read(text: string): void {
    for (const line of text.split("\n")) {
      if (line.startsWith('{"level"')) readLogLine(line);
      else if (line.startsWith("(λ")) readEnd(line);
    }
  }

  function readLogLine(line: string): void {
    const parsed = LogLine.safeParse(parseJson(line));
    if (!parsed.success) return;
    const { level, message, function_request_id: id, cold_start: isCold, ...rest } = parsed.data;
    const entry = loggedBy(id);
    entry.start = isCold ? "cold" : "warm";
    entry.failed ||= level === "ERROR";
    if (entry.lines.length < MAX_LINES) entry.lines.push(`${level} ${message} ${JSON.stringify(ownFields(rest))}`);
  }

  function loggedBy(id: string): Logged {
    const entry: Logged = logged.get(id) ?? { failed: false, lines: [] };
    logged.set(id, entry);
    const [oldest = id] = logged.keys();
    if (logged.size > MAX_INVOCATIONS) logged.delete(oldest);
    return entry;
  }

  function readEnd(line: string): void {
    const [, name = "", id = "", duration] = ENDED.exec(line) ?? [];
    if (id === "") return;
    invocations.unshift({ id, name, durationMs: Number(duration), endedAt: Date.now(), logged: loggedBy(id) });
    invocations.length = Math.min(invocations.length, MAX_INVOCATIONS);
  }

  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      read(String(chunk));
      return Reflect.apply(write, stream, [chunk, ...rest]);
    };
  }
  return () => invocations;
}

/** The fields of a line that tell something besides whose line it is. */
function ownFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => !/^(timestamp|service|function_|sampling_)/.test(name)),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
