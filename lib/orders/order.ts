import * as z from "zod/mini";

/** An order's key: a ULID (26 characters of Crockford's base 32, upper case), so that orders sort by creation. */
export const OrderPk = z.string().check(z.regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/));

/** The only transitions are `pending → completed`, `pending → refunded` and `completed → refunded`. */
const OrderStatus = z.enum(["pending", "completed", "refunded"]);

const Money = z.coerce.number<string>().check(z.minimum(0));

/**
 * An order as clients see it. Times are RFC 3339 in UTC with milliseconds; the last two are present once
 * the order is completed or refunded. Unit price, fee and total are present if the service has an inventory.
 */
export const Order = z.object({
  pk: OrderPk,
  product_id: z.string(),
  quantity: z.coerce.number<string>().check(z.int()),
  price: z.optional(Money),
  fee: z.optional(Money),
  total: z.optional(Money),
  status: OrderStatus,
  created_at: z.iso.datetime(),
  completed_at: z.optional(z.iso.datetime()),
  refunded_at: z.optional(z.iso.datetime()),
});
export type Order = z.infer<typeof Order>;
