import { retries } from "./clients.ts";
import type { Journal } from "./history.ts";
import { type Evidence, judge, numberOf, type Violation } from "./invariants.ts";
import { refOf } from "./refunds.ts";
import type { Context } from "./run.ts";

const MAX_FIELD_LENGTH = 100;

export type Findings = ReturnType<typeof findingsOf>;

export function findingsOf(
  { options, requests, faults, journal }: Context,
  evidence: Evidence,
  reads: { readonly orders: number; readonly reads: number },
) {
  const { facts, placements } = evidence;
  const violations = judge(evidence);
  const count = (kind: Violation["kind"]) => violations.filter((violation) => violation.kind === kind).length;
  /** The last line of a run. */
  const summary = {
    seed: options.seed,
    /** Orders that clients asked for, that Redis holds, and that at least one reply named to its client. */
    asked: options.orders,
    stored: new Set([...facts.orders.values()].map(({ product_id }) => product_id)).size,
    acknowledged: placements.filter(({ replies }) => replies.length > 0).length,
    /** Why a client may not know of its order. */
    excused: excuses(evidence),
    requests,
    reads,
    /** Faults that happened. */
    faults: Object.fromEntries(Object.entries(faults.counts).sort(([a], [b]) => (a < b ? -1 : 1))),
    lost: count("lost"),
    duplicated: count("duplicated"),
    wrong_state: count("wrong_state"),
    stuck: count("stuck"),
    dead_letters_expected: expectedDeadLetters(evidence),
    dead_letters_found: facts.deadLetters.length,
    pending_entries_left: facts.pendingEntriesLeft,
    ok: violations.length === 0,
  };
  return { summary, violations, history: historyOf(violations, evidence, journal) };
}

/** The orders whose client got no order, by the reason why that may be. A client that retries has none: invariant 9. */
function excuses({ placements }: Evidence): Record<string, number> {
  const unknown = placements.filter((placement) => placement.replies.length === 0 && !retries(placement));
  const lost = unknown.filter(({ lostReplies }) => lostReplies.length > 0).length;
  return { "sent once, and failed": unknown.length - lost, "sent once, and its reply was lost": lost };
}

/** One for each invalid request; of those that someone removed from the stream, for those that came through all the same. */
function expectedDeadLetters({ requests, facts }: Evidence): number {
  const found = new Set(facts.deadLetters.map(refOf));
  const invalid = [...requests.values()].filter(({ expected }) => "reason" in expected);
  return invalid.filter(({ ref, mayBeLost }) => !mayBeLost || found.has(ref)).length;
}

/** The whole history of the first broken order, or of the first broken refund request, for people; "" without any. */
function historyOf(
  violations: readonly Violation[],
  { facts, placements, requests }: Evidence,
  journal: Journal,
): string {
  const first = violations.find(({ order }) => order !== undefined) ?? violations[0];
  if (!first) return "";
  const { invariant, kind, detail, order, ref } = first;
  const lines = [`Invariant ${invariant} is broken (${kind}): ${detail}`];
  if (order !== undefined) {
    const stored = [...facts.orders].filter(([pk]) => numberOf(facts, pk) === order);
    const entries = facts.announcements.filter(({ pk }) => stored.some(([own]) => own === pk));
    lines.push(
      `Order ${order}, whose client's behaviour was ${placements.find((one) => one.order === order)?.behaviour}:`,
      ...journal.history(order),
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
