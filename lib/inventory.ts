import pRetry from "p-retry";
import * as z from "zod/mini";
import type { InventoryEnv } from "./env/inventory.ts";
import { OrderError } from "./errors.ts";
import { countMetric, durationMetric } from "./observability.ts";
import { PiecePrice } from "./orders/price-order.ts";
import { redacted } from "./redacted.ts";

/** From the question to the end of the reply's body, a second attempt included. */
const TIMEOUT_MS = 2_000;

/** A product is some hundred bytes; what is larger is none, and is not read to its end. */
const MAX_REPLY_BYTES = 65_536;

export interface Inventory {
  /**
   * What one piece of a product costs: a `PiecePrice`.
   * @throws OrderError `unknown_product` for a 404; `inventory_timed_out` after 2 s; `inventory_failed` for everything else
   *   that is no price, its cause without what the inventory said. The shop's own service replies 500 for a product that it
   *   does not know: that looks like any other failure.
   */
  priceOf(productId: string): Promise<number>;
}

/** The shop's product inventory: `GET {INVENTORY_URL}/products/{id}`. Undefined where there is none: no order has a price. */
export function productInventory({ INVENTORY_URL }: InventoryEnv): Inventory | undefined {
  if (!INVENTORY_URL) return undefined;
  const products = `${new URL(INVENTORY_URL).href.replace(/\/+$/, "")}/products/`;

  async function priceOf(productId: string): Promise<number> {
    // One encoded segment; `.` and `..`, which no encoding would keep a URL parser from resolving, are no product's id.
    const url = products + encodeURIComponent(productId);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      // Lambda freezes between invocations, and the inventory may have closed a kept connection meanwhile: that is a
      // TypeError of fetch, and no other failure is asked about again.
      return await pRetry(() => ask(url, productId, signal), {
        retries: 1,
        minTimeout: 0,
        shouldRetry: ({ error }) => error instanceof TypeError,
      });
    } catch (error) {
      if (error instanceof OrderError) throw error;
      const code = signal.aborted ? "inventory_timed_out" : "inventory_failed";
      throw new OrderError(code, { cause: redacted(error) });
    }
  }

  return { priceOf };
}

async function ask(url: string, productId: string, signal: AbortSignal): Promise<number> {
  const begun = performance.now();
  try {
    // A redirect could lead anywhere; the inventory has no reason to send one.
    const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
    if (response.status === 200) return parsePrice(await readText(response), productId);
    await response.body?.cancel();
    if (response.status === 404) throw unknownProduct(productId);
    throw failed(`The inventory answered ${response.status}`);
  } catch (error) {
    if (!isUnknownProduct(error)) countMetric("InventoryErrors");
    throw error;
  } finally {
    durationMetric("InventoryLatency", performance.now() - begun);
  }
}

/** The reply's text; leaving the loop early ends the connection. */
async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_REPLY_BYTES) throw failed(`The inventory's reply has more than ${MAX_REPLY_BYTES} bytes`);
    chunks.push(chunk);
  }
  // Not Buffer's own: it keeps a byte order mark, and then JSON is none.
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/**
 * Reads the price of a product. Inventories name the product `pk` (the shop's product service), `id` (its list) or not at
 * all; a name must be that of the product that was asked for.
 */
function parsePrice(text: string, productId: string): number {
  // Not z.literal: its error quotes the id. Not an array, whose text is that of its only element.
  const isAsked = (name: unknown) => typeof name !== "object" && String(name) === productId;
  const Name = z.nullish(z.unknown().check(z.refine(isAsked, "is not the product that was asked for")));
  const Product = z.object({ id: Name, pk: Name, price: PiecePrice });
  const product = Product.safeParse(parseJson(text));
  if (!product.success) throw new OrderError("inventory_failed", { cause: redacted(product.error) });
  return product.data.price;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OrderError("inventory_failed", { cause: redacted(error) });
  }
}

const failed = (reason: string): OrderError => new OrderError("inventory_failed", { cause: new Error(reason) });

const unknownProduct = (productId: string): OrderError =>
  new OrderError("unknown_product", {
    fields: [{ path: ["id"], detail: `no product has this id: ${productId}` }],
  });

const isUnknownProduct = (error: unknown): boolean => error instanceof OrderError && error.code === "unknown_product";
