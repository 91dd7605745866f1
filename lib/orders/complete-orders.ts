import * as z from "zod/mini";
import { OrderPk } from "../order.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../redis/keys.ts";
import { type Command, scriptCommand } from "../redis/pipeline.ts";
import { script } from "../redis/script.ts";
import completeOrdersLua from "../scripts/complete-orders.lua" with { type: "text" };

const completeOrdersScript = script(completeOrdersLua);

/** What the schedule of an order hands to `completeOrder`. */
export const DueOrder = z.object({ pk: OrderPk });
export type DueOrder = z.infer<typeof DueOrder>;

/**
 * The command that completes orders and announces each on `order_completed`, all in one script; its reply is a
 * `CompleteOrdersReply`.
 * @param pks one to a few hundred: the script holds up the whole database while it runs
 * @param now the time, in ms since the epoch
 */
export function completeOrdersCommand(pks: readonly string[], now: number): Command {
  return scriptCommand(
    completeOrdersScript,
    [PENDING_KEY, COMPLETED_STREAM, ...pks.map(orderKey)],
    [new Date(now).toISOString(), ...pks],
  );
}
