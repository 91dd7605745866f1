import { type Evidence, numberOf, type Violation } from "./invariants/violation.ts";
import type { Journal } from "./journal.ts";

const LONGEST_FIELD = 100;

/** The whole history of the first broken order, or of the first broken refund request, for people; "" without any. */
export function storyOf(violations: readonly Violation[], evidence: Evidence, journal: Journal): string {
  const first = violations.find(({ order }) => order !== undefined) ?? violations[0];
  if (!first) return "";
  const about = [
    ...(first.order === undefined ? [] : orderStory(first.order, evidence, journal)),
    ...(first.ref === undefined ? [] : requestStory(first.ref, evidence)),
  ];
  return [`Invariant ${first.invariant} is broken (${first.kind}): ${first.detail}`, ...about].join("\n");
}

function orderStory(order: number, { facts, placements }: Evidence, journal: Journal): string[] {
  const placement = placements.find((one) => one.order === order);
  const stored = [...facts.orders].filter(([pk]) => numberOf(facts, pk) === order);
  const entries = facts.announcements.filter(({ fields }) => stored.some(([pk]) => pk === fields.pk));
  return [
    `Order ${order}, whose client's way was ${placement?.behaviour}:`,
    ...journal.history(order),
    "In Redis at the end:",
    ...stored.map(([pk, hash]) => `  order:${pk} ${JSON.stringify(hash)}`),
    ...entries.map(({ fields }) => `  order_completed ${JSON.stringify(fields)}`),
  ];
}

function requestStory(ref: string, { facts, requests }: Evidence): string[] {
  const request = requests.get(ref);
  const letters = facts.deadLetters.filter((fields) => fields.some((field) => String(field) === ref));
  return [
    `Refund request: ${request ? printed(request.fields) : "nobody's"}`,
    ...(request?.mayBeLost ? ["It was removed from the stream before it was settled."] : []),
    ...letters.map((fields) => `  refund_order:dead ${printed(fields)}`),
  ];
}

function printed(fields: readonly (string | Buffer)[]): string {
  return JSON.stringify(fields.map((field) => Buffer.from(field).toString("latin1").slice(0, LONGEST_FIELD)));
}
