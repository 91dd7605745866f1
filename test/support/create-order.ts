import * as z from "zod";
import createOrderLua from "../../lib/orders/create-order.lua" with { type: "text" };
import { runCommand, script, scriptCommand } from "../../lib/redis/commands.ts";
import { CREATED_AT, DUE } from "./orders.ts";
import type { TestStore } from "./store.ts";

export const RETENTION_S = 86_400;

const createOrder = script(createOrderLua);

/** One call of `create-order.lua`, for two pieces of the product 123. */
export interface Creation {
  readonly pk: string;
  readonly idempotencyKey?: string;
  readonly fingerprint?: string;
  readonly prices?: readonly string[];
  /** Days; 0 keeps the order for ever. */
  readonly retentionDays?: number;
}

/** The script's reply. */
export async function runCreateOrder(store: TestStore, creation: Creation): Promise<unknown> {
  const { pk, idempotencyKey, fingerprint = "f1", prices = [], retentionDays = 0 } = creation;
  const keys = [`order:${pk}`, "orders:pending", ...(idempotencyKey === undefined ? [] : [idempotencyKey])];
  const args = [pk, "123", 2, CREATED_AT, DUE, fingerprint, RETENTION_S, retentionDays * 86_400, ...prices];
  return runCommand(store.redis, scriptCommand(createOrder, z.unknown(), keys, args));
}
