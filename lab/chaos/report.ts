import { retries } from "./clients.ts";
import type { Context } from "./context.ts";
import { type Evidence, judge, latenessOf, numberOf, type Violation } from "./invariants.ts";
import { refOf } from "./refunds.ts";

const MAX_FIELD_LENGTH = 100;

export type Findings = ReturnType<typeof findingsOf>;

/** @returns the last line of a run, what is broken, and the history of what broke first */
export function findingsOf(
  { options, requests, faults, journal }: Context,
  evidence: Evidence,
  reads: { readonly orders: number; readonly reads: number },
) {
  const { facts, placements } = evidence;
  const violations = judge(evidence);
  const count = (kind: Violation["kind"]) => violations.filter((violation) => violation.kind === kind).length;
  // A client that retries has no excuse: invariant 9.
  const unknown = placements.filter((placement) => placement.replies.length === 0 && !retries(placement));
  const replyLost = unknown.filter(({ lostReplies }) => lostReplies.length > 0).length;
  const deadRefs = new Set(facts.deadLetters.map(refOf));
  const deadLettersExpected = [...evidence.requests.values()].filter(
    ({ ref, expected, mayBeLost }) => "reason" in expected && (!mayBeLost || deadRefs.has(ref)),
  );
  // Without those that were overdue before the sweep could know of them.
  const own = ({ order = 0 }: { readonly order?: number | undefined }) => order <= options.orders;
  const lateness = latenessOf(facts)
    .filter(own)
    .map(({ lateMs }) => Math.max(0, lateMs))
    .sort((a, b) => a - b);
  const percentile = (share: number) => lateness[Math.ceil(lateness.length * share) - 1] ?? null;
  const summary = {
    seed: options.seed,
    completion: options.completion,
    /** Orders that clients asked for, that Redis holds, and that at least one reply named to its client. */
    asked: options.orders,
    stored: new Set([...facts.orders.keys()].map((pk) => numberOf(facts, pk)).filter((order) => own({ order }))).size,
    acknowledged: placements.filter(({ replies }) => replies.length > 0).length,
    /** Why a client may not know of its order. */
    excused: { "sent once, and failed": unknown.length - replyLost, "sent once, and its reply was lost": replyLost },
    requests,
    reads,
    /** How late completions were, in ms. */
    late_ms: { p50: percentile(0.5), p99: percentile(0.99), max: percentile(1) },
    /** Faults that happened. */
    faults: Object.fromEntries(Object.entries(faults.counts).sort(([a], [b]) => (a < b ? -1 : 1))),
    lost: count("lost"),
    duplicated: count("duplicated"),
    wrong_state: count("wrong_state"),
    stuck: count("stuck"),
    /** Without those of requests that an accident removed from the stream, unless they are there all the same. */
    dead_letters_expected: deadLettersExpected.length,
    dead_letters_found: facts.deadLetters.length,
    pending_entries_left: facts.pendingEntriesLeft,
    ok: violations.length === 0,
  };
  const first = violations.find(({ order }) => order !== undefined) ?? violations[0];
  return { summary, violations, history: first ? historyOf(first, evidence, journal.history) : "" };
}

/** The whole history of a broken order, or of a broken refund request, for people. */
function historyOf(
  { invariant, kind, detail, order, ref }: Violation,
  { facts, placements, requests }: Evidence,
  notesOf: (order: number) => readonly string[],
): string {
  const lines = [`Invariant ${invariant} is broken (${kind}): ${detail}`];
  if (order !== undefined) {
    const stored = [...facts.orders].filter(([pk]) => numberOf(facts, pk) === order);
    const entries = facts.announcements.filter(({ pk }) => stored.some(([own]) => own === pk));
    lines.push(
      `Order ${order}, whose client's behaviour was ${placements.find((one) => one.order === order)?.behaviour}:`,
      ...notesOf(order),
      "In Redis at the end:",
      ...stored.map(([pk, hash]) => `  order:${pk} ${JSON.stringify(hash)}`),
      ...entries.map((fields) => `  order_completed ${JSON.stringify(fields)}`),
    );
  }
  if (ref !== undefined) {
    const letters = facts.deadLetters.filter((fields) => refOf(fields) === ref);
    lines.push(
      `Refund request ${ref}: ${printed(requests.get(ref)?.fields ?? [])}`,
      ...letters.map((fields) => `  refund_order:dead ${printed(fields)}`),
    );
  }
  return lines.join("\n");
}

function printed(fields: readonly (string | Buffer)[]): string {
  return JSON.stringify(fields.map((field) => Buffer.from(field).toString("latin1").slice(0, MAX_FIELD_LENGTH)));
}
