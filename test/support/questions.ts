import { expect } from "vitest";
import { ServiceError } from "../../lib/errors.ts";
import { createInventory } from "../../lib/integrations/inventory.ts";

/** The question for a product's price, as the service asks it. */
export async function priceAt(url: string, id: string): Promise<number> {
  const inventory = createInventory({ INVENTORY_URL: url });
  if (!inventory) throw new Error("There is no inventory without a URL");
  return inventory.priceOf(id);
}

/** The error that a question ends with, and all that a log would show of it. */
export async function failureOf(question: Promise<number>): Promise<{ error: ServiceError; shown: string }> {
  const error: unknown = await question.then(
    (price) => expect.unreachable(`The price is ${price}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ServiceError)) throw error;
  let shown = "";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    shown += `${cause.stack} ${JSON.stringify(cause)}`;
  }
  return { error, shown };
}
