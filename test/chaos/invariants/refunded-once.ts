import { isDeepStrictEqual } from "node:util";
import type { Facts } from "../facts.ts";
import { REF, type RefundRequest } from "../refund-requests.ts";
import { type Invariant, numberOf, type Violation } from "./violation.ts";

/** What is written before the request's own fields. */
const PREFIX = ["dead_reason", "dead_id", "dead_at"];

type DeadLetter = readonly Buffer[];
type Flaw = Pick<Violation, "kind" | "order" | "detail">;

/**
 * 4. Every valid refund request moved its order exactly once; every invalid one is in `refund_order:dead` exactly once,
 * with its reason and its fields, or what 4 KB hold of them. That nothing is refunded twice shows in its `refunded_at`, which invariant 6 holds fast.
 */
export const refundedOnce: Invariant = ({ facts, requests }) => {
  const letters = Map.groupBy(facts.deadLetters, refOf);
  const asked = new Set([...requests.values()].flatMap(({ expected }) => ("pk" in expected ? expected.pk : [])));
  const unasked = [...facts.orders].filter(([pk, { status }]) => status === "refunded" && !asked.has(pk));
  const strangers = [...letters.keys()].filter((ref) => !requests.has(ref));

  return [
    ...[...requests.values()].flatMap((request) =>
      judge(request, facts, letters.get(request.ref) ?? []).map(
        (flaw): Violation => ({ invariant: 4, ref: request.ref, ...flaw }),
      ),
    ),
    ...unasked.map(
      ([pk]): Violation => ({
        invariant: 4,
        kind: "wrong_state",
        order: numberOf(facts, pk),
        detail: `nobody asked to refund ${pk}`,
      }),
    ),
    ...strangers.map((ref): Violation => ({ invariant: 4, kind: "wrong_state", detail: `a dead letter of ${ref}` })),
  ];
};

function judge({ expected, fields, mayBeLost }: RefundRequest, { orders }: Facts, letters: DeadLetter[]): Flaw[] {
  const [letter = []] = letters;
  if ("pk" in expected) {
    const { pk, order } = expected;
    const refunded = orders.get(pk)?.status === "refunded";
    return [
      ...(refunded || mayBeLost ? [] : [{ kind: "lost" as const, order, detail: `${pk} was not refunded` }]),
      ...letters.map(() => ({ kind: "wrong_state" as const, order, detail: "a valid request is a dead letter" })),
    ];
  }
  const { reason } = expected;
  if (letters.length === 0) return mayBeLost ? [] : [{ kind: "lost", detail: `no dead letter, though ${reason}` }];
  if (letters.length > 1) return [{ kind: "duplicated", detail: `${letters.length} dead letters` }];
  if (String(letter[1]) !== reason) return [{ kind: "wrong_state", detail: `dead for ${letter[1]}, not ${reason}` }];
  const names = PREFIX.map((_, index) => String(letter[2 * index]));
  const kept = [...letter.slice(2 * PREFIX.length)];
  const own = fields.map((field) => Buffer.from(field));
  const sound = isDeepStrictEqual(kept, own) || isTruncated(kept, own);
  return sound && isDeepStrictEqual(names, PREFIX) ? [] : [{ kind: "wrong_state", detail: "it was not kept as it is" }];
}

/** Of a request above 4 KB a dead letter keeps the size, the beginning of the pk, and the other fields. */
function isTruncated(kept: readonly Buffer[], own: readonly Buffer[]): boolean {
  const bytes = own.reduce((sum, value) => sum + value.length + 1, 0);
  const [mark, size, , pk = Buffer.alloc(0), ...others] = kept;
  return (
    bytes > 4_096 &&
    String(mark) === "dead_truncated" &&
    String(size) === String(bytes) &&
    own[1]?.subarray(0, pk.length).equals(pk) === true &&
    isDeepStrictEqual(others, own.slice(2))
  );
}

export function refOf(fields: DeadLetter): string {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === REF);
  return at === -1 ? "nobody" : String(fields[at + 1]);
}
