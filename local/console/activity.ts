import { z } from "zod";
import { dueTime } from "../../lib/orders/completion-delay.ts";
import { OrderPk } from "../../lib/orders/order.ts";

const MAX_INVOCATIONS = 300;
const MAX_LINES = 50;
const MAX_COMPLETIONS = 1_000;

/** How many seconds the chart shows. */
export const WINDOW_S = 300;

/** serverless-offline's line at the end of an invocation. */
const ENDED = /^\(λ: (\w+)\) RequestId: (\S+) {2}Duration: ([\d.]+) ms/;

const LogLine = z.looseObject({
  level: z.string(),
  message: z.string(),
  timestamp: z.iso.datetime(),
  cold_start: z.boolean().optional(),
  function_request_id: z.string(),
  status: z.number().optional(),
  pk: z.string().optional(),
  pks: z.array(z.string()).default([]),
  refunded: z.array(z.string()).default([]),
});
type LogLine = z.infer<typeof LogLine>;

interface Logged {
  /** Whether a line is an error. */
  failed: boolean;
  /** Of the problem document that was the reply. */
  status?: number;
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

/** What happened in a second, `at` since the epoch: orders placed, by how many ms others were completed late, and 5xx replies. */
export interface Second {
  readonly at: number;
  placed: number;
  readonly late: number[];
  failed: number;
}

/** What completed an order, and how long after it was due. */
export interface Completion {
  readonly by: "schedule" | "sweep";
  readonly lateMs: number;
}

export interface Activity {
  /** The newest first. */
  readonly invocations: readonly Invocation[];
  /** One in which nothing happened is missing. */
  readonly seconds: ReadonlyMap<number, Readonly<Second>>;
  /** Since the start. */
  readonly totals: { readonly placed: number; readonly completed: number; readonly refunded: number };
  /** By pk: the last completions. */
  readonly completions: ReadonlyMap<string, Completion>;
}

/**
 * Keeps what this process prints: functions write their log lines to standard output, and serverless-offline one line for each
 * invocation to standard error. What is printed stays as it is.
 */
export function captureActivity(): Activity {
  const invocations: Invocation[] = [];
  /** By request id. Lines come from other threads, so some arrive after the end of their invocation. */
  const logged = new Map<string, Logged>();
  const seconds = new Map<number, Second>();
  const totals = { placed: 0, completed: 0, refunded: 0 };
  const completions = new Map<string, Completion>();

  function read(text: string): void {
    for (const line of text.split("\n")) {
      if (line.startsWith('{"level"')) readLogLine(line);
      else if (line.startsWith("(λ")) readEnd(line);
    }
  }

  function readLogLine(text: string): void {
    const json = parseJson(text);
    const { success, data: line } = LogLine.safeParse(json);
    if (!success) return;
    const entry = loggedBy(line.function_request_id);
    entry.start = line.cold_start ? "cold" : "warm";
    entry.failed ||= line.level === "ERROR";
    if (line.status !== undefined) entry.status = line.status;
    if (entry.lines.length < MAX_LINES) entry.lines.push(`${line.level} ${line.message} ${ownFields(json)}`);
    count(line);
  }

  /** By messages that docs/operations.md lists. */
  function count({ message, timestamp, pk, pks, refunded, status = 0 }: LogLine): void {
    const now = Date.parse(timestamp);
    const at = Math.floor(now / 1_000);
    const second = bounded(seconds, WINDOW_S, at, { at, placed: 0, late: [], failed: 0 });
    const placed = message === "Order placed" ? 1 : 0;
    const bySweep = message === "Orders completed by the sweep";
    // The reply of the call that completed it was lost: the next one finds it completed.
    const isRepeated = message === "Order was completed before" && !completions.has(pk ?? "");
    const completed = bySweep ? pks : pk && (message === "Order completed" || isRepeated) ? [pk] : [];
    for (const each of completed.filter((one) => OrderPk.safeParse(one).success)) {
      const lateMs = Math.max(0, now - dueTime(each));
      second.late.push(lateMs);
      bounded(completions, MAX_COMPLETIONS, each, { by: bySweep ? "sweep" : "schedule", lateMs });
    }
    second.placed += placed;
    second.failed += status >= 500 ? 1 : 0;
    totals.placed += placed;
    totals.completed += completed.length;
    totals.refunded += refunded.length;
  }

  const loggedBy = (id: string): Logged => bounded(logged, MAX_INVOCATIONS, id, { failed: false, lines: [] });

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
  return { invocations, seconds, totals, completions };
}

/** The value of a key, `initial` for a new one; then the oldest key goes when there are too many. */
function bounded<Key, Value>(map: Map<Key, Value>, max: number, key: Key, initial: Value): Value {
  const value = map.get(key) ?? initial;
  map.set(key, value);
  const [oldest = key] = map.keys();
  if (map.size > max) map.delete(oldest);
  return value;
}

/** The fields of a line that tell something besides whose line it is. */
function ownFields(line: unknown): string {
  const own = Object.entries(z.record(z.string(), z.unknown()).parse(line)).filter(
    ([name]) => !/^(level|message|cold_start|timestamp|service|function_|sampling_)/.test(name),
  );
  return JSON.stringify(Object.fromEntries(own));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
