import { MAX_RETENTION_DAYS } from "../lib/orders/retention.ts";
import { parameterError, parameters } from "./parameters.js";

/** The environment variable of the function that places orders. */
export async function days({ resolveVariable }) {
  const retention = await parameters(resolveVariable).wholeNumber("orderRetentionDays");
  if (retention <= MAX_RETENTION_DAYS) return String(retention);
  throw parameterError(`orderRetentionDays must be at most ${MAX_RETENTION_DAYS}`);
}
