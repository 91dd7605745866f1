import { refOf } from "./invariants/refunded-once.ts";
import type { Evidence, Violation } from "./invariants/violation.ts";
import type { Journal } from "./journal.ts";
import type { Options } from "./options.ts";
import { storyOf } from "./story.ts";

const COMPLETION_DELAY_MS = 5_000;

/** The last line of a run. */
export interface Summary {
  readonly seed: number;
  readonly orders: number;
  readonly requests: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly wrong_state: number;
  readonly stuck: number;
  readonly dead_letters_expected: number;
  readonly dead_letters_found: number;
  readonly pending_entries_left: number;
  readonly p99_completion_lag_ms: number;
  readonly ok: boolean;
}

export interface Findings {
  readonly summary: Summary;
  readonly violations: readonly Violation[];
  /** Of the first broken order, for people; empty when every invariant holds. */
  readonly story: string;
}

export function findingsOf(run: {
  readonly options: Options;
  readonly requests: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly evidence: Evidence;
  readonly violations: readonly Violation[];
  readonly journal: Journal;
}): Findings {
  const { options, requests, faults, evidence, violations, journal } = run;
  const count = (kind: Violation["kind"]) => violations.filter((violation) => violation.kind === kind).length;
  const summary = {
    seed: options.seed,
    orders: options.orders,
    requests,
    faults,
    lost: count("lost"),
    duplicated: count("duplicated"),
    wrong_state: count("wrong_state"),
    stuck: count("stuck"),
    dead_letters_expected: expectedDeadLetters(evidence),
    dead_letters_found: evidence.facts.deadLetters.length,
    pending_entries_left: evidence.facts.pendingEntriesLeft,
    p99_completion_lag_ms: p99(completionLags(evidence, journal)),
    ok: violations.length === 0,
  };
  return { summary, violations, story: storyOf(violations, evidence, journal) };
}

/** One for each invalid request; of those that someone removed from the stream, for those that came through all the same. */
function expectedDeadLetters({ requests, facts }: Evidence): number {
  const found = new Set(facts.deadLetters.map(refOf));
  const invalid = [...requests.values()].filter(({ expected }) => "reason" in expected);
  return invalid.filter(({ ref, mayBeLost }) => !mayBeLost || found.has(ref)).length;
}

/** From when an order was due to when its completion was on the stream, by this machine's clock; early is 0. */
function completionLags({ facts }: Evidence, journal: Journal): number[] {
  return facts.announcements.flatMap(({ atMs, fields }) => {
    const placedMs = journal.firstSeen(fields.pk ?? "");
    return placedMs === undefined ? [] : [Math.max(0, atMs - placedMs - COMPLETION_DELAY_MS)];
  });
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
}
