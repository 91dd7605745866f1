import pRetry from "p-retry";
import * as z from "zod/mini";
import { BaseUrl } from "../env.ts";
import { redacted, ServiceError } from "../errors.ts";
import { createHttpClient, type HttpClient, isBrokenConnection, TimeoutError } from "../http-client.ts";
import type { Inventory } from "../orders/place-order.ts";
import { UnitPrice } from "../orders/prices.ts";
import { countMetric, durationMetric } from "../telemetry.ts";

/** From the request to the end of the reply, including a second attempt. */
const TIMEOUT_MS = 2_000;

/** A product has a few hundred bytes. A larger reply is refused without reading all of it. */
const MAX_REPLY_BYTES = 65_536;

/** The address of the inventory. Unset or empty: orders have no price. */
export const InventoryEnv = z.object({ INVENTORY_URL: z.optional(z.union([z.literal(""), BaseUrl])) });

export type InventoryEnv = z.infer<typeof InventoryEnv>;

/** Created once: that takes 25 µs. */
const Product = z.object({ id: z.nullish(z.unknown()), pk: z.nullish(z.unknown()), price: UnitPrice });

/**
 * The shop's product inventory, `GET {INVENTORY_URL}/products/{id}`. Undefined without one: then orders have no price.
 *
 * A 404 is `unknown_product`, no reply within 2 s `inventory_timed_out`, and any other failure `inventory_failed`, its cause
 * without the reply's text. The shop's own inventory replies 500 for an unknown product, which looks like any other failure.
 */
export function createInventory({ INVENTORY_URL }: InventoryEnv): Inventory | undefined {
  if (!INVENTORY_URL) return undefined;
  const send = createHttpClient(INVENTORY_URL, MAX_REPLY_BYTES);

  async function priceOf(productId: string): Promise<number> {
    const deadline = performance.now() + TIMEOUT_MS;
    try {
      return await pRetry(() => fetchPrice(send, productId, deadline - performance.now()), {
        retries: 1,
        minTimeout: 0,
        shouldRetry: ({ error }) => isBrokenConnection(error),
      });
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      const code = error instanceof TimeoutError ? "inventory_timed_out" : "inventory_failed";
      throw new ServiceError(code, { cause: redacted(error) });
    }
  }

  return { priceOf };
}

async function fetchPrice(send: HttpClient, productId: string, timeoutMs: number): Promise<number> {
  const startedAt = performance.now();
  const path = `/products/${encodeURIComponent(productId)}`;
  try {
    const { status, body } = await send({ method: "GET", path, headers: { accept: "application/json" }, timeoutMs });
    if (status === 200) return parsePrice(body, productId);
    if (status === 404) throw unknownProduct(productId);
    throw new ServiceError("inventory_failed", { cause: new Error(`The inventory replied with status ${status}`) });
  } catch (error) {
    if (!isUnknownProduct(error)) countMetric("InventoryErrors");
    throw error;
  } finally {
    durationMetric("InventoryLatency", performance.now() - startedAt);
  }
}

/**
 * Reads the price of a product. Inventories name the product `pk` (the shop's product service), `id` (its list) or not at
 * all. A name must be that of the requested product.
 */
function parsePrice(text: string, productId: string): number {
  const product = Product.safeParse(parseJson(text));
  if (!product.success) throw new ServiceError("inventory_failed", { cause: redacted(product.error) });
  const { id, pk, price } = product.data;
  // Not an array, whose text is that of its only element.
  const isRequested = (name: unknown) => typeof name !== "object" && String(name) === productId;
  if ([id, pk].every((name) => name === undefined || name === null || isRequested(name))) return price;
  throw new ServiceError("inventory_failed", { cause: new Error("The reply is about another product") });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ServiceError("inventory_failed", { cause: redacted(error) });
  }
}

const unknownProduct = (productId: string): ServiceError =>
  new ServiceError("unknown_product", {
    fields: [{ path: ["id"], detail: `no product has this id: ${productId}` }],
  });

const isUnknownProduct = (error: unknown): boolean => error instanceof ServiceError && error.code === "unknown_product";
