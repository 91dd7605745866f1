import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { serve } from "../lambda-host/serve.ts";
import type { Call } from "./proxy.ts";

const FIRST_PRICE_CENTS = 1_000;

/** The time of an answer, in ms: long enough for other requests with the same key to arrive. */
const ANSWER_MS = 200;

/** The problems of an order that was not placed because it had no price. */
const REFUSAL = /code\W+(unknown_product|inventory_failed|inventory_timed_out)\b/;

const InventoryAnswer = z.object({ price: z.number() });

interface Question {
  readonly order: number;
  /** When the request asked for the price, in ms since the epoch. */
  readonly askedMs: number;
}

export type PriceBook = ReturnType<typeof createPriceBook>;

/** A product inventory that knows every product, at a price that is a cent higher with each answer. */
export function startInventory() {
  let cents = FIRST_PRICE_CENTS;

  return serve(async ({ url = "" }, response) => {
    cents += 1;
    const product = { pk: decodeURIComponent(url.replace("/products/", "")), name: "Something", price: cents / 100 };
    await wait(ANSWER_MS);
    response.setHeader("content-type", "application/json").end(JSON.stringify({ ...product, quantity: 1 }));
  });
}

/** The inventory's answers about each order's product, by the order's number. */
export function createPriceBook() {
  const questions = new Map<string, Question>();
  const quoted = new Map<number, number[]>();
  const askedMs = new Map<string, number>();
  const refusals: Question[] = [];

  return {
    /** The unit prices, in cents, that functions got. */
    quoted,
    /** The orders whose product the inventory did not know. */
    denied: new Set<number>(),
    /** The orders for whose product the inventory fails now. */
    isDown: new Set<number>(),
    /** When the request that stored an order had asked for its price, by the order's pk, in ms since the epoch. */
    askedMs,
    /** The requests that got no price and were refused. */
    refusals,
    /** An instance asks for the price of an order. Returns the call, whose reply counts as quoted if it is sent unchanged. */
    noteQuestion(order: number, instanceId: string, call: Call): Call {
      questions.set(instanceId, { order, askedMs: Date.now() });
      let content: Buffer | undefined;
      return {
        ...call,
        async forward() {
          const reply = await call.forward();
          content = reply.content;
          return reply;
        },
        async answer(reply) {
          // Before it goes out, since the order may be stored at once.
          if (content && reply.content === content) {
            const { price } = InventoryAnswer.parse(JSON.parse(content.toString()));
            quoted.set(order, [...(quoted.get(order) ?? []), Math.round(price * 100)]);
          }
          await call.answer(reply);
        },
      };
    },
    /** An instance stores the order `pk`, for whose price it asked last. */
    notePlacing(pk: string, instanceId: string): void {
      const question = questions.get(instanceId);
      if (question && !askedMs.has(pk)) askedMs.set(pk, question.askedMs);
    },
    /** What an instance replies, before it handles another request. */
    noteReply(text: string, instanceId: string): void {
      const question = questions.get(instanceId);
      if (question && REFUSAL.test(text)) refusals.push(question);
    },
  };
}
