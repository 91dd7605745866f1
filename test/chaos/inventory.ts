import { z } from "zod";
import { serve } from "../lambda/serve.ts";
import { inUnits } from "./price-book.ts";

const FIRST_PRICE = 1_000;

/** What the inventory answers; the boundary before it reads from it what one piece costs. */
export const InventoryAnswer = z.object({ pk: z.string(), price: z.number() });

/** A product inventory that knows every product, at a price that is a cent higher with each answer. */
export function startInventory() {
  let cents = FIRST_PRICE;

  return serve(async ({ url = "" }, response) => {
    cents += 1;
    const pk = decodeURIComponent(url.replace("/products/", ""));
    const product = { pk, name: "Something", price: inUnits(cents), quantity: 1 };
    response.setHeader("content-type", "application/json").end(JSON.stringify(product));
  });
}
