const STREAM_ID = /^\d+-\d+$/;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Names and values in turn, one character a byte. */
export type Fields = readonly string[];

export interface Request {
  readonly id: string;
  readonly fields: Fields;
  /** When a poller took it last; undefined when none holds it. */
  takenAt?: number | undefined;
  /** It stays on the stream, because its dead letter could not be kept. */
  parked?: boolean;
}

interface DeadLetter {
  readonly reason: string;
  readonly firstId: string;
  readonly at: string;
  readonly fields: Fields;
}

/** The last one counts. */
function pkOf(fields: Fields): string | undefined {
  return fields.reduce<string | undefined>(
    (pk, name, at) => (at % 2 === 0 && name === "pk" ? fields[at + 1] : pk),
    undefined,
  );
}

/** A request that was a dead letter before has its first id before its own fields. */
function firstIdAndFields({ id, fields }: Request): Pick<DeadLetter, "firstId" | "fields"> {
  const [name, firstId = ""] = fields;
  const wasDead = name === "dead_id" && STREAM_ID.test(firstId);
  return wasDead ? { firstId, fields: fields.slice(2) } : { firstId: id, fields };
}

/** Why a request is refused for which there is no order. */
function refusal(pk: string | undefined): string {
  if (pk === undefined) return "missing_pk";
  return ULID.test(pk) ? "unknown_order" : "malformed_pk";
}

const isUnknown = ({ fields }: Request): boolean => refusal(pkOf(fields)) === "unknown_order";

const COMPLETION_DELAY_MS = 5_000;
const SWEEP_GRACE_MS = 65_000;
const RECLAIM_IDLE_MS = 60_000;
const PROBE_SIZE = 8;
const KEY_RETENTION_MS = 24 * 60 * 60 * 1_000;

export interface Order {
  readonly pk: string;
  readonly product_id: string;
  readonly quantity: number;
  /** The amounts of an order that was placed while there was an inventory. */
  readonly price?: number;
  readonly fee?: number;
  readonly total?: number;
  status: "pending" | "completed" | "refunded";
  readonly created_at: string;
  completed_at?: string;
  refunded_at?: string;
}

/** What settling makes of a request. */
type Settled = "refunded" | "wasRefunded" | "kept" | "settledElsewhere" | "failed";

/** The streams to which the service adds. */
export type OwnStream = "order_completed" | "refund_order:dead";

type Placed = { readonly order: Order; readonly replayed: boolean } | "idempotency_key_reused";

/** The rules of the service in plain memory: what the real one, on Redis, is held against. It knows no batches. */
export class Model {
  now = Date.UTC(2026, 10, 23, 6);
  readonly orders = new Map<string, Order>();
  /** The completions that are owed: when each order is due. */
  readonly pending = new Map<string, number>();
  readonly completed: Order[] = [];
  readonly keys = new Map<string, { readonly pk: string; readonly usedAt: number }>();
  requests: Request[] = [];
  dead: DeadLetter[] = [];
  /** The streams that take no more entries. */
  readonly full = new Set<OwnStream>();

  /**
   * @param price the inventory's unit price in cents; undefined without one
   * @param newPk the pk that the service drew, if it made an order
   */
  place(
    product_id: string,
    quantity: number,
    key: string | undefined,
    price: number | undefined,
    newPk: () => string,
  ): Placed {
    const first = key === undefined ? undefined : this.orders.get(this.keys.get(key)?.pk ?? "");
    if (first) {
      const same = first.product_id === product_id && first.quantity === quantity;
      return same ? { order: first, replayed: true } : "idempotency_key_reused";
    }
    const order: Order = {
      ...{ pk: newPk(), product_id, quantity, status: "pending", created_at: this.time() },
      ...(price !== undefined && amounts(price, price * quantity)),
    };
    this.orders.set(order.pk, order);
    this.pending.set(order.pk, this.now + COMPLETION_DELAY_MS);
    if (key !== undefined) this.keys.set(key, { pk: order.pk, usedAt: this.now });
    return { order, replayed: false };
  }

  /** @returns false when it fails: the order cannot be announced, and stays pending */
  complete(pk: string): boolean {
    const order = this.orders.get(pk);
    if (order?.status === "pending" && this.full.has("order_completed")) return false;
    this.pending.delete(pk);
    if (order?.status !== "pending") return true;
    order.status = "completed";
    order.completed_at = this.time();
    this.completed.push({ ...order });
    return true;
  }

  sweep(): void {
    const overdue = [...this.pending].filter(([, due]) => due <= this.now - SWEEP_GRACE_MS);
    overdue.sort(([pk, due], [otherPk, otherDue]) => due - otherDue || (pk < otherPk ? -1 : 1));
    for (const [pk] of overdue) this.complete(pk);
  }

  requestRefund(id: string, fields: Fields): void {
    this.requests.push({ id, fields });
  }

  /** A poller takes requests: those that another one took and left, if there are any, else the new ones. */
  take(): Request[] {
    const left = this.requests.filter((request) => this.idle(request) >= RECLAIM_IDLE_MS);
    const taken =
      left.length > 0 ? left : this.requests.filter(({ takenAt, parked }) => takenAt === undefined && !parked);
    for (const request of taken) request.takenAt = this.now;
    return taken;
  }

  /**
   * @param taken some of which another poller may have settled since
   * @returns what happened to each, by id
   */
  settle(taken: readonly Request[]): Record<string, Settled> {
    // Whether there is an order is known later than whether there can be one.
    const inTurn = [...taken].sort((a, b) => Number(isUnknown(a)) - Number(isUnknown(b)));
    return Object.fromEntries(inTurn.map((request) => [request.id, this.settleOne(request)]));
  }

  /** @param newIds of the requests that the dead letters become, each with its first id before its own fields */
  replayDead(newIds: readonly string[]): void {
    const requests = this.dead.map(({ firstId, fields }) => ["dead_id", firstId, ...fields]);
    this.dead = [];
    for (const [at, fields] of requests.entries()) this.requestRefund(newIds[at] ?? "", fields);
  }

  /**
   * A poller settles what is left and what is new, and leaves the rest on the stream. Then it tries what others have left there.
   * @param sent how often each read is sent: the poller gets only the last reply
   */
  drain(sent: number): void {
    let keepsAll = true;
    const read = () => Array.from({ length: sent }, () => this.take()).at(-1) ?? [];
    const settle = (taken: readonly Request[]) => {
      const outcomes = this.settle(taken);
      for (const request of taken.filter(({ id }) => outcomes[id] === "failed")) {
        request.takenAt = undefined;
        request.parked = true;
        keepsAll = false;
      }
    };
    for (let taken = read(); taken.length > 0; taken = read()) settle(taken);
    const unheld = this.requests.filter(({ takenAt }) => takenAt === undefined);
    for (const some of [unheld.slice(0, PROBE_SIZE), unheld.slice(PROBE_SIZE)]) if (keepsAll) settle(some);
  }

  /** How long ago a poller took it, in ms; a clock that was put back counts as no time. */
  idle({ takenAt }: Request): number {
    return takenAt === undefined ? Number.NaN : Math.max(0, this.now - takenAt);
  }

  /** @returns the idempotency keys that are forgotten by then */
  moveClock(ms: number): string[] {
    this.now += ms;
    const forgotten = [...this.keys].filter(([, { usedAt }]) => this.now >= usedAt + KEY_RETENTION_MS);
    for (const [key] of forgotten) this.keys.delete(key);
    return forgotten.map(([key]) => key);
  }

  private settleOne(request: Request): Settled {
    if (!this.requests.includes(request)) return "settledElsewhere";
    const order = this.orders.get(pkOf(request.fields) ?? "");
    if (!order && this.full.has("refund_order:dead")) return "failed";
    this.requests = this.requests.filter((other) => other !== request);
    if (order) return this.refund(order);
    this.dead.push({ reason: refusal(pkOf(request.fields)), at: this.time(), ...firstIdAndFields(request) });
    return "kept";
  }

  private refund(order: Order): Settled {
    if (order.status === "refunded") return "wasRefunded";
    order.status = "refunded";
    order.refunded_at = this.time();
    this.pending.delete(order.pk);
    return "refunded";
  }

  private time(): string {
    return new Date(this.now).toISOString();
  }
}

/** @param net all pieces, in cents */
function amounts(price: number, net: number) {
  const fee = Math.floor((net * 2 + 5) / 10);
  return { price: price / 100, fee: fee / 100, total: (net + fee) / 100 };
}
