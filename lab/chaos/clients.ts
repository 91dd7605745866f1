import { setTimeout as wait } from "node:timers/promises";
import { Order } from "../../lib/orders/order.ts";
import { faultsOf } from "../contract.ts";
import { failUnlessNetwork } from "../lambda-host/serve.ts";
import type { Context } from "./context.ts";
import { productOf } from "./history.ts";

/** How a client places its order. */
const BEHAVIOURS = { once: 2, retry: 5, gives_up: 1, five_at_once: 1, two_bodies: 1 };

/** Requests with one key at the same time matter most where they wait for a price. */
const PRICED_BEHAVIOURS = { ...BEHAVIOURS, five_at_once: 3 };

/** What each of a client's requests adds to the quantity. */
const BODIES = { once: [0], retry: [0], gives_up: [0], five_at_once: [0, 0, 0, 0, 0], two_bodies: [0, 1] };

const LOST_SHARE = 0.5;

/** With prices and every fifth call struck, more than half of the attempts fail: of 10,000 clients, some fail 15 times in a row. */
const MAX_ATTEMPTS = 40;

/** By how much the pauses grow at most. */
const MAX_PATIENCE = 3;

/** Of the `Retry-After` of a key in use a client waits a tenth. */
const IN_USE_SHARE = 0.1;

/** Longer than a key may be in use: the longest request, and what is left of its claim when it dies. */
const MAX_USE_MS = 45_000;

/** Longer than API Gateway lets any request take. */
const TIMEOUT_MS = 60_000;

/** How many orders are read, and how often each: an illegal move shows between two reads only. */
const SAMPLE = 200;
const READS = 25;
const READ_PAUSE_MS = 300;

const LEGAL: Readonly<Record<Order["status"], readonly Order["status"][]>> = {
  pending: ["pending", "completed", "refunded"],
  completed: ["completed", "refunded"],
  refunded: ["refunded"],
};

/** What a field holds stays, once it is there. */
const FIXED = [
  ...["pk", "product_id", "quantity", "price", "fee", "total"],
  ...["created_at", "completed_at", "refunded_at"],
] as const satisfies readonly (keyof Order)[];

type Behaviour = keyof typeof BEHAVIOURS;

export interface Placement {
  readonly order: number;
  readonly behaviour: Behaviour;
  readonly key: string | undefined;
  /** The orders of every 200 that the client got. */
  readonly replies: Order[];
  /** The orders of every 200 that the harness took away: the client does not know of them, but they must exist. */
  readonly lostReplies: Order[];
  /** Replies that no client may get, whatever fails. */
  readonly wrongReplies: string[];
}

/** A reply as a client got it; status 0 when there was none. */
interface Answer {
  readonly status: number;
  readonly text: string;
  /** From the Retry-After of the reply, in ms. */
  readonly retryAfterMs?: number;
  /** The order, when the reply holds a valid one. */
  readonly placed?: Order | undefined;
  /** What openapi.yaml does not promise of it, whatever fails. */
  readonly undocumented?: string | undefined;
}

/** Whether a client sends its order again until it gets it. */
export const retries = ({ behaviour }: Pick<Placement, "behaviour">): boolean =>
  behaviour !== "once" && behaviour !== "gives_up";

/**
 * The clients: each places one order in its own way, and may lose a reply.
 * @param onPlaced called at the first 200 of each order
 */
export function createClients(context: Context, apiUrl: string, onPlaced: (order: number, pk: string) => void) {
  const { chance, faults, journal, prices } = context;
  const placements = new Map<number, { readonly placement: Placement; readonly quantity: number }>();
  /** When a request of an order last ended: until then its key may have been in use, and another one may claim it next. */
  const endedMs = new Map<number, number>();

  async function send(placement: Placement, quantity: number): Promise<Answer> {
    const { order, lostReplies } = placement;
    const answer = await post(placement, quantity);
    if (answer.status > 0 && faults.strike("client", `reply to order ${order}`, { reply_lost: 1 }, {}, LOST_SHARE)) {
      faults.count("client.reply_lost");
      if (answer.placed) lostReplies.push(answer.placed);
      journal.note(order, `client.reply_lost: ${answer.text}`);
      return { status: 0, text: "lost" };
    }
    journal.note(order, `  → ${answer.status} ${answer.text}`);
    receive(placement, answer, quantity);
    return answer;
  }

  async function post({ order, key, wrongReplies }: Placement, quantity: number): Promise<Answer> {
    const body = JSON.stringify({ id: productOf(order), quantity });
    context.requests += 1;
    journal.note(order, `POST ${body} key ${key ?? "none"}`);
    const headers = { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) };
    const answer = await ask("POST /orders", `${apiUrl}/orders`, { method: "POST", headers, body });
    if (answer.undocumented) wrongReplies.push(answer.undocumented);
    if (answer.status !== 409) endedMs.set(order, performance.now());
    return answer;
  }

  function receive(placement: Placement, { status, text, placed }: Answer, quantity: number): void {
    const { order, key, replies, wrongReplies, behaviour } = placement;
    const mayBeReused = behaviour === "two_bodies" && status === 422;
    const mayBeDenied = isDenied(text) && prices?.denied.has(order);
    const mayBeInUse = status === 409 && key !== undefined && prices !== undefined;
    if (status === 0 || status >= 500 || mayBeReused || mayBeDenied || mayBeInUse) return;
    if (status !== 200 || !placed) wrongReplies.push(`${status} ${text}`);
    else if (placed.product_id !== productOf(order) || placed.quantity !== quantity) {
      wrongReplies.push(`another order: ${text}`);
    } else if (replies.push(placed) === 1) onPlaced(order, placed.pk);
  }

  async function untilAnswered(placement: Placement, quantity: number): Promise<void> {
    const startedMs = performance.now();
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; ) {
      const { status, text, retryAfterMs = 0 } = await send(placement, quantity);
      if (status !== 0 && status !== 409 && status < 500 && !isDenied(text)) return;
      if (status !== 409) {
        const pauseMs = chance.between(`pause ${attempt} of order ${placement.order}`, 20, 130);
        await wait(Math.min(attempt, MAX_PATIENCE) * pauseMs);
        attempt += 1;
      } else if (performance.now() - (endedMs.get(placement.order) ?? startedMs) <= MAX_USE_MS) {
        await wait(retryAfterMs * IN_USE_SHARE);
      } else {
        placement.wrongReplies.push(`its key was in use for more than ${MAX_USE_MS} ms`);
        return;
      }
    }
  }

  async function place(order: number): Promise<Placement> {
    const weights = prices ? PRICED_BEHAVIOURS : BEHAVIOURS;
    const behaviour = chance.pick(`behaviour of order ${order}`, BEHAVIOURS, weights);
    const quantity = chance.between(`quantity of order ${order}`, 1, 1_000);
    const key = behaviour === "once" ? undefined : `chaos-key-of-order-${order}`;
    const placement: Placement = { order, behaviour, key, replies: [], lostReplies: [], wrongReplies: [] };
    placements.set(order, { placement, quantity });
    const requests = BODIES[behaviour].map((more) =>
      retries(placement) ? untilAnswered(placement, quantity + more) : send(placement, quantity),
    );
    await Promise.all(requests);
    if (requests.length > 1) faults.count(`client.${behaviour}`);
    return placement;
  }

  return {
    place,
    /** Whether an order's client has one request under way at most. */
    isAlone(order: number): boolean {
      const sent = placements.get(order);
      return sent !== undefined && BODIES[sent.placement.behaviour].length === 1;
    },
    /**
     * Sends an order that a client is placing once more, as a second client with the same key.
     * @returns the status of the reply, 0 when there was none
     */
    async sendAgain(order: number): Promise<number> {
      const sent = placements.get(order);
      if (!sent) return 0;
      const answer = await post(sent.placement, sent.quantity);
      journal.note(order, `  → to the second client: ${answer.status} ${answer.text}`);
      receive(sent.placement, answer, sent.quantity);
      return answer.status;
    },
  };
}

/** Reads a sample of the orders again and again, and remembers what may not have happened. */
export function startReader(context: Context, apiUrl: string) {
  const { options, chance, journal } = context;
  const violations: { order: number; detail: string }[] = [];
  const reading: Promise<void>[] = [];
  let reads = 0;
  let stopped = false;

  async function follow(order: number, pk: string): Promise<void> {
    let seen: Order | undefined;
    for (let read = 1; read <= READS; read += 1) {
      context.requests += 1;
      const { status, text, placed, undocumented } = await ask("GET /orders/{pk}", `${apiUrl}/orders/${pk}`);
      const unknown = !placed && status > 0 && status < 500;
      const flaws = [
        undocumented,
        seen && placed && illegal(seen, placed),
        unknown ? `a client was told of it, but GET says ${status} ${text}` : undefined,
      ].filter((flaw) => flaw !== undefined);
      for (const detail of flaws) {
        violations.push({ order, detail });
        journal.note(order, `GET ${pk}: ${detail}`);
      }
      if (placed && seen?.status !== placed.status) journal.note(order, `GET ${pk} → ${placed.status}`);
      seen = placed ?? seen;
      reads += 1;
      if (!stopped) await wait(READ_PAUSE_MS);
    }
  }

  return {
    watch(order: number, pk: string): void {
      if (chance.at(`sample of order ${order}`) < SAMPLE / options.orders) reading.push(follow(order, pk));
    },
    /** Resolves when each order of the sample has been read as often as it should. */
    async stop(): Promise<void> {
      stopped = true;
      await Promise.all(reading);
    },
    violations,
    /** How many orders were read, and how often in all. */
    get figures() {
      return { orders: reading.length, reads };
    },
  };
}

function illegal(before: Order, now: Order): string | undefined {
  if (!LEGAL[before.status].includes(now.status)) return `it went from ${before.status} to ${now.status}`;
  const changed = FIXED.find((field) => before[field] !== undefined && before[field] !== now[field]);
  return changed && `its ${changed} went from ${before[changed]} to ${now[changed]}`;
}

/** The inventory denied the product; here it will know it the next time. */
const isDenied = (text: string): boolean => text.includes('"code":"unknown_product"');

async function ask(route: string, url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const { ok, status, headers } = reply;
    const text = await reply.text();
    const body = parsed(text);
    const flaws = faultsOf(route, { statusCode: status, headers: Object.fromEntries(headers), body });
    const undocumented = `openapi.yaml has no such reply (${flaws.join("; ")}): ${status} ${text}`;
    return {
      status,
      text,
      placed: ok ? Order.safeParse(body).data : undefined,
      retryAfterMs: Number(headers.get("retry-after")) * 1_000,
      undocumented: flaws.length > 0 ? undocumented : undefined,
    };
  } catch (error) {
    failUnlessNetwork(error);
    return { status: 0, text: `no reply: ${String(error)}` };
  }
}

/** Undefined, which no schema takes, where it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
