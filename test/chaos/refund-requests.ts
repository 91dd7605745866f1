import { ulid } from "ulid";
import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { Chance } from "./chance.ts";
import type { ChaosDatabase } from "./database.ts";
import type { Journal } from "./journal.ts";

/** The field by which a request is found again, wherever it is. */
export const REF = "ref";

const BIG_PK = "0".repeat(1_000_000);

export type DeadReason = "missing_pk" | "malformed_pk" | "unknown_order";

/** A request that is on the stream, or was. */
export interface RefundRequest {
  readonly ref: string;
  readonly fields: readonly (string | Buffer)[];
  /** The order that it moves, or why it must be refused. */
  readonly expected: { readonly pk: string; readonly order: number } | { readonly reason: DeadReason };
  /** Someone removed it from the stream before it was settled: then nobody can know what becomes of it. */
  mayBeLost: boolean;
}

/** The other services that ask for refunds, in every way that a request can be wrong. */
export interface RefundDesk {
  ask(order: number, pk: string): Promise<void>;
  /** A request that can only be refused; `kind` as in `INVALID`. */
  askInvalid(kind: keyof typeof INVALID): Promise<void>;
  /** Takes what was removed from the stream, or is about to be, off the list of what must be settled. */
  removed(fields: readonly Buffer[]): void;
  readonly requests: ReadonlyMap<string, RefundRequest>;
}

/** Weights of the ways to be wrong. */
export const INVALID = { unknown: 4, without_pk: 3, malformed: 3, empty_pk: 1, binary_pk: 3, big_pk: 1 };

export function createRefundDesk(chance: Chance, database: ChaosDatabase, journal: Journal): RefundDesk {
  const requests = new Map<string, RefundRequest>();

  async function add(expected: RefundRequest["expected"], fields: (ref: string) => (string | Buffer)[]): Promise<void> {
    const ref = `request-${requests.size + 1}`;
    const request: RefundRequest = { ref, expected, fields: [...fields(ref), REF, ref], mayBeLost: false };
    requests.set(ref, request);
    if ("order" in expected) journal.note(expected.order, `${ref} asks for a refund of ${expected.pk}`);
    await database.direct((client) => client.sendCommand(["XADD", REFUND_STREAM, "*", ...request.fields]));
  }

  function pkOf(kind: keyof typeof INVALID, ref: string): string | Buffer {
    if (kind === "unknown") return ulid();
    if (kind === "malformed") return ulid().toLowerCase();
    if (kind === "big_pk") return BIG_PK;
    if (kind === "empty_pk") return "";
    return Buffer.from([0xff, 0x00, 0xfe, chance.between(`binary ${ref}`, 0, 255), 0xc3, 0x28, 0x0a]);
  }

  return {
    ask: (order, pk) => add({ order, pk }, () => ["pk", pk, "reason", "arrived broken"]),
    askInvalid(kind) {
      const note = ["note", Buffer.from([0x00, 0xff, 0x80])];
      if (kind === "without_pk") return add({ reason: "missing_pk" }, () => note);
      const reason = kind === "unknown" ? "unknown_order" : "malformed_pk";
      return add({ reason }, (ref) => ["pk", pkOf(kind, ref), ...note]);
    },
    removed(fields) {
      const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === REF);
      const request = requests.get(fields[at + 1]?.toString() ?? "");
      if (!request) return;
      request.mayBeLost = true;
      if ("order" in request.expected)
        journal.note(request.expected.order, `${request.ref} was removed from the stream`);
    },
    requests,
  };
}
