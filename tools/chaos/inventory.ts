import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import type { Instance } from "../lambda-host/instance.ts";
import { serve } from "../lambda-host/serve.ts";
import { INSTANCE_FAULTS, INVENTORY_FAULTS, INVENTORY_WEIGHTS, passOn } from "./call-faults.ts";
import type { Faults } from "./faults.ts";
import type { Journal } from "./history.ts";
import type { Call, Reply } from "./proxy.ts";

const FIRST_PRICE = 1_000;

/** It takes so long for an answer that other requests with the same key come meanwhile. */
const ANSWER_MS = 200;

/** What the inventory answers; the boundary before it reads from it what one piece costs. */
const InventoryAnswer = z.object({ pk: z.string(), price: z.number() });

/** A product inventory that knows every product, at a price that is a cent higher with each answer. */
export function startInventory() {
  let cents = FIRST_PRICE;

  return serve(async ({ url = "" }, response) => {
    cents += 1;
    const price = inUnits(cents);
    const pk = decodeURIComponent(url.replace("/products/", ""));
    await wait(ANSWER_MS);
    const product = { pk, name: "Something", price, quantity: 1 };
    response.setHeader("content-type", "application/json").end(JSON.stringify(product));
  });
}

/** The problems that say: there was no price, so no order was placed. */
const REFUSAL = /code\W+(unknown_product|inventory_failed|inventory_timed_out)\b/;

/** What the inventory said of each order's product, by the order's number. */
export interface PriceBook {
  /** The prices of one piece, in cents, that a function was told. */
  readonly told: Map<number, number[]>;
  /** The orders whose product the inventory has denied. */
  readonly denied: Set<number>;
  /** When the request that stored an order had asked for its price, by the order's pk, in ms since the epoch. */
  readonly askedMs: Map<string, number>;
  /** The requests that got no price and were refused. */
  readonly refusals: Refusal[];
  /** An instance asks for the price of an order. */
  noteQuestion(order: number, instanceId: string): void;
  /** An instance stores the order `pk`, for whose price it asked last. */
  notePlacing(pk: string, instanceId: string): void;
  /** What an instance replies, before it handles another request. */
  noteReply(text: string, instanceId: string): void;
}

interface Refusal {
  readonly order: number;
  /** When the request asked for the price, in ms since the epoch. */
  readonly askedMs: number;
}

export function createPriceBook(): PriceBook {
  const questions = new Map<string, Refusal>();
  const askedMs = new Map<string, number>();
  const refusals: Refusal[] = [];

  return {
    told: new Map(),
    denied: new Set(),
    askedMs,
    refusals,
    noteQuestion: (order, instanceId) => void questions.set(instanceId, { order, askedMs: Date.now() }),
    notePlacing(pk, instanceId) {
      const question = questions.get(instanceId);
      if (question && !askedMs.has(pk)) askedMs.set(pk, question.askedMs);
    },
    noteReply(text, instanceId) {
      const question = questions.get(instanceId);
      if (question && REFUSAL.test(text)) refusals.push(question);
    },
  };
}

/** The JSON number of so many cents. */
const inUnits = (cents: number): number => Number(decimal(cents));

/** With exactly two decimals. */
export const decimal = (cents: number): string => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;

interface InventoryBoundaryOptions {
  readonly faults: Faults;
  readonly journal: Journal;
  readonly prices: PriceBook;
  readonly find: (instanceId: string) => Instance | undefined;
}

/** What becomes of a question to the inventory; the price book gets what the function was told. */
export function createInventoryBoundary({ faults, journal, prices, find }: InventoryBoundaryOptions) {
  return async function toInventory(call: Call, instanceId: string): Promise<void> {
    const order = journal.orderIn(call.path) ?? 0;
    prices.noteQuestion(order, instanceId);
    const noted = withNotes(call, order);
    const kind = faults.strike("inventory", `question about order ${order}`, INVENTORY_WEIGHTS);
    if (!kind) return passOn({ call: noted });
    journal.note(order, `inventory.${kind} strikes ${instanceId}`);
    if (kind === "http_404") prices.denied.add(order);
    await { ...INVENTORY_FAULTS, ...INSTANCE_FAULTS }[kind]({ call: noted, instance: find(instanceId) });
    faults.count(`inventory.${kind}`);
  };

  /** Only what goes out as the inventory said it counts as told; before it goes out, since the order may be stored at once. */
  function withNotes(call: Call, order: number): Call {
    let said: Reply | undefined;
    return {
      ...call,
      async forward() {
        said = await call.forward();
        return said;
      },
      async answer(reply) {
        if (said && reply.content === said.content) {
          const cents = Math.round(InventoryAnswer.parse(JSON.parse(said.content.toString())).price * 100);
          prices.told.set(order, [...(prices.told.get(order) ?? []), cents]);
          journal.note(order, `the inventory says ${cents} cents`);
        }
        await call.answer(reply);
      },
    };
  }
}
