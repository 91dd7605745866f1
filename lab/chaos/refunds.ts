import { setTimeout as wait } from "node:timers/promises";
import { ulid } from "ulid";
import { DEAD_LETTER_STREAM, orderKey, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { Context } from "./context.ts";
import { type ChaosDatabase, fillStream, makeRoom } from "./database.ts";

/** The weights of the ways in which an order is refunded. */
const PLANS = { none: 55, while_pending: 12, around_completion: 10, after_completion: 12, duplicates: 6, in_flood: 5 };

/** When the requests of a plan are made, in ms after the order. */
const TIMES: Readonly<Record<keyof typeof PLANS, readonly (readonly [from: number, to: number])[]>> = {
  none: [],
  while_pending: [[0, 1_000]],
  around_completion: [[4_000, 6_500]],
  after_completion: [[7_000, 9_000]],
  duplicates: [1, 2, 3].map(() => [0, 9_000] as const),
  in_flood: [],
};

/** How many requests the flood has per order of the run: 5,000 for 2,000 orders. */
const FLOOD_PER_ORDER = 2.5;

/** More than Upstash lets one consumer leave pending: 1,000. */
const INVALID_WHILE_FULL = 1_100;

/** On a busy machine one run, which ends 14 s before its time-out, does not finish these. */
const MAX_RUNS_WHILE_FULL = 5;

/** How many valid requests follow these. */
const VALID_WHILE_FULL = 20;

/** The weights of the ways in which a request is wrong. */
const INVALID = { unknown: 4, without_pk: 3, malformed: 3, empty_pk: 1, binary_pk: 3, big_pk: 1 };

const BIG_PK = "0".repeat(1_000_000);

/** The field by which a request is found again, wherever it is. */
const REF = "ref";

/** A request that is on the stream, or was. */
export interface RefundRequest {
  readonly ref: string;
  readonly fields: readonly (string | Buffer)[];
  /** The order that it moves, or why it must be refused. */
  readonly expected:
    | { readonly pk: string; readonly order: number }
    | { readonly reason: "missing_pk" | "malformed_pk" | "unknown_order" };
  /** It was removed from the stream before it was settled, so its outcome is unknown. */
  mayBeLost: boolean;
  /** It was not settled while the dead letters of others could not be kept. */
  heldUp?: boolean;
}

export type Refunds = ReturnType<typeof createRefunds>;

/** The other services that ask for refunds, in every way that a request can be right or wrong. */
export function createRefunds({ options, chance, faults, journal }: Context, database: ChaosDatabase) {
  const requests = new Map<string, RefundRequest>();
  const underWay: Promise<void>[] = [];
  const forFlood: { order: number; pk: string }[] = [];
  const notAsked: { order: number; pk: string }[] = [];

  async function add(
    expected: RefundRequest["expected"],
    fields: (ref: string) => (string | Buffer)[],
  ): Promise<RefundRequest> {
    const ref = `request-${requests.size + 1}`;
    const request: RefundRequest = { ref, expected, fields: [...fields(ref), REF, ref], mayBeLost: false };
    requests.set(ref, request);
    if ("order" in expected) journal.note(expected.order, `${ref} asks for a refund of ${expected.pk}`);
    await database.direct((client) => client.sendCommand(["XADD", REFUND_STREAM, "*", ...request.fields]));
    return request;
  }

  function ask(order: number, pk: string): Promise<RefundRequest> {
    return add({ order, pk }, () => ["pk", pk, "reason", "arrived broken"]);
  }

  /** A request that can only be refused. */
  function askInvalid(kind: keyof typeof INVALID): Promise<RefundRequest> {
    const note = ["note", Buffer.from([0x00, 0xff, 0x80])];
    if (kind === "without_pk") return add({ reason: "missing_pk" }, () => note);
    const reason = kind === "unknown" ? "unknown_order" : "malformed_pk";
    return add({ reason }, (ref) => ["pk", wrongPk(kind, ref), ...note]);
  }

  function wrongPk(kind: keyof typeof INVALID, ref: string): string | Buffer {
    if (kind === "unknown") return ulid();
    if (kind === "malformed") return ulid().toLowerCase();
    if (kind === "big_pk") return BIG_PK;
    if (kind === "empty_pk") return "";
    return Buffer.from([0xff, 0x00, 0xfe, chance.between(`binary ${ref}`, 0, 255), 0xc3, 0x28, 0x0a]);
  }

  async function later(
    what: string,
    from: number,
    to: number,
    work: () => Promise<unknown>,
    kind: string,
  ): Promise<void> {
    await wait(chance.between(what, from, to));
    await work();
    faults.count(`refunds.${kind}`);
  }

  return {
    requests,
    askInvalid,
    /** Asks for the refunds that are planned for an order, each at its time. */
    follow(order: number, pk: string): void {
      const plan = chance.pick(`refund of order ${order}`, PLANS, PLANS);
      if (plan === "in_flood") forFlood.push({ order, pk });
      if (plan === "none") notAsked.push({ order, pk });
      for (const [index, [from, to]] of TIMES[plan].entries()) {
        underWay.push(later(`refund ${index + 1} of ${order}`, from, to, () => ask(order, pk), plan));
      }
      if (chance.at(`invalid request with order ${order}`) < options.faults) {
        const kind = chance.pick(`kind of invalid request with order ${order}`, INVALID, INVALID);
        underWay.push(later(`refund 4 of ${order}`, 0, 3_000, () => askInvalid(kind), kind));
      }
    },
    /** All that waited for the flood, many times over, at once. */
    async flood(): Promise<void> {
      const size = Math.round(options.orders * FLOOD_PER_ORDER);
      const asked = Array.from({ length: size }, (_, index) => {
        const one = forFlood[index % Math.max(1, forFlood.length)];
        // Every tenth cannot be settled: a flood of bad entries must not keep the good ones waiting.
        return !one || index % 10 === 9 ? askInvalid("unknown") : ask(one.order, one.pk);
      });
      await Promise.all(asked);
      faults.count("refunds.flood");
    },
    /**
     * Asks for refunds behind more invalid requests than may be pending, while Redis refuses every dead letter.
     * @param drain runs the poller, and must settle the valid ones
     */
    async behindInvalid(drain: () => Promise<unknown>): Promise<void> {
      await database.direct((client) => fillStream(client, DEAD_LETTER_STREAM));
      await Promise.all(Array.from({ length: INVALID_WHILE_FULL }, () => askInvalid("unknown")));
      const valid = notAsked.slice(0, VALID_WHILE_FULL);
      const asked = await Promise.all(valid.map(({ order, pk }) => ask(order, pk)));
      let heldUp = asked;
      for (let runs = 1; runs <= MAX_RUNS_WHILE_FULL && heldUp.length > 0; runs += 1) {
        await drain();
        const keys = valid.map(({ pk }) => orderKey(pk));
        const statuses = await database.direct((client) => Promise.all(keys.map((key) => client.hGet(key, "status"))));
        heldUp = asked.filter((_, index) => statuses[index] !== "refunded");
      }
      for (const request of heldUp) request.heldUp = true;
      await database.direct((client) => makeRoom(client, DEAD_LETTER_STREAM));
      faults.count("refunds.behind_invalid");
    },
    /** Resolves when all planned requests are made. */
    done: () => Promise.all(underWay),
    /** Takes what was removed from the stream, or is about to be, off the list of what must be settled. */
    removed(fields: readonly Buffer[]): void {
      const request = requests.get(refOf(fields));
      if (!request) return;
      request.mayBeLost = true;
      if ("order" in request.expected) {
        journal.note(request.expected.order, `${request.ref} was removed from the stream`);
      }
    },
  };
}

/** The request that an entry or a dead letter is about. */
export function refOf(fields: readonly Buffer[]): string {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === REF);
  return at === -1 ? "nobody" : String(fields[at + 1]);
}
