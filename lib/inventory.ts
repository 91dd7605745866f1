import pRetry from "p-retry";
import * as z from "zod/mini";
import type { InventoryEnv } from "./env/inventory.ts";
import { OrderError } from "./errors.ts";
import { createHttpClient, type HttpClient, isBrokenConnection, TimeoutError } from "./http-client.ts";
import { countMetric, durationMetric } from "./observability.ts";
import { PiecePrice } from "./orders/price-order.ts";
import { redacted } from "./redacted.ts";

/** From the question to the end of the reply's body, a second attempt included. */
const TIMEOUT_MS = 2_000;

/** A product is some hundred bytes; what is larger is none, and is not read to its end. */
const MAX_REPLY_BYTES = 65_536;

/** Made once: making it takes 25 µs. */
const Product = z.object({ id: z.nullish(z.unknown()), pk: z.nullish(z.unknown()), price: PiecePrice });

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
  const send = createHttpClient(INVENTORY_URL, MAX_REPLY_BYTES);

  async function priceOf(productId: string): Promise<number> {
    const deadline = performance.now() + TIMEOUT_MS;
    try {
      return await pRetry(() => ask(send, productId, deadline - performance.now()), {
        retries: 1,
        minTimeout: 0,
        shouldRetry: ({ error }) => isBrokenConnection(error),
      });
    } catch (error) {
      if (error instanceof OrderError) throw error;
      const code = error instanceof TimeoutError ? "inventory_timed_out" : "inventory_failed";
      throw new OrderError(code, { cause: redacted(error) });
    }
  }

  return { priceOf };
}

async function ask(send: HttpClient, productId: string, timeoutMs: number): Promise<number> {
  const startedAt = performance.now();
  const path = `/products/${encodeURIComponent(productId)}`;
  try {
    const { status, body } = await send({ method: "GET", path, headers: { accept: "application/json" }, timeoutMs });
    if (status === 200) return parsePrice(body, productId);
    if (status === 404) throw unknownProduct(productId);
    throw new OrderError("inventory_failed", { cause: new Error(`The inventory answered ${status}`) });
  } catch (error) {
    if (!isUnknownProduct(error)) countMetric("InventoryErrors");
    throw error;
  } finally {
    durationMetric("InventoryLatency", performance.now() - startedAt);
  }
}

/**
 * Reads the price of a product. Inventories name the product `pk` (the shop's product service), `id` (its list) or not at
 * all; a name must be that of the product that was asked for.
 */
function parsePrice(text: string, productId: string): number {
  const product = Product.safeParse(parseJson(text));
  if (!product.success) throw new OrderError("inventory_failed", { cause: redacted(product.error) });
  const { id, pk, price } = product.data;
  // Not an array, whose text is that of its only element.
  const isAsked = (name: unknown) => typeof name !== "object" && String(name) === productId;
  if ([id, pk].every((name) => name === undefined || name === null || isAsked(name))) return price;
  throw new OrderError("inventory_failed", { cause: new Error("This is not the product that was asked for") });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OrderError("inventory_failed", { cause: redacted(error) });
  }
}

const unknownProduct = (productId: string): OrderError =>
  new OrderError("unknown_product", {
    fields: [{ path: ["id"], detail: `no product has this id: ${productId}` }],
  });

const isUnknownProduct = (error: unknown): boolean => error instanceof OrderError && error.code === "unknown_product";
