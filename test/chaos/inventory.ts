import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { serve } from "../lambda/serve.ts";
import { inUnits } from "./price-book.ts";

const FIRST_PRICE = 1_000;

/** It takes so long for an answer that other requests with the same key come meanwhile. */
const ANSWER_MS = 200;

/** What the inventory answers; the boundary before it reads from it what one piece costs. */
export const InventoryAnswer = z.object({ pk: z.string(), price: z.number() });

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
