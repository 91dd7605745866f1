import type { Instance } from "../lambda/instance.ts";
import { INSTANCE_FAULTS, passOn } from "./call-faults.ts";
import type { Faults } from "./faults.ts";
import { InventoryAnswer } from "./inventory.ts";
import { INVENTORY_FAULTS, INVENTORY_WEIGHTS } from "./inventory-faults.ts";
import type { Journal } from "./journal.ts";
import type { PriceBook } from "./price-book.ts";
import type { Call, Reply } from "./proxy.ts";

interface InventoryBoundaryOptions {
  readonly faults: Faults;
  readonly journal: Journal;
  readonly prices: PriceBook;
  readonly find: (instanceId: string) => Instance | undefined;
}

/** What becomes of a question to the inventory; the price book gets what the function was told. */
export function createInventoryBoundary({ faults, journal, prices, find }: InventoryBoundaryOptions) {
  return async function toInventory(call: Call, instanceId: string): Promise<void> {
    const order = journal.orderIn(call.path) ?? 0;
    prices.noteQuestion(order, instanceId);
    const noted = withNotes(call, order);
    const kind = faults.strike("inventory", `question about order ${order}`, INVENTORY_WEIGHTS);
    if (!kind) return passOn({ call: noted });
    journal.note(order, `inventory.${kind} strikes ${instanceId}`);
    if (kind === "http_404") prices.denied.add(order);
    await { ...INVENTORY_FAULTS, ...INSTANCE_FAULTS }[kind]({ call: noted, instance: find(instanceId) });
  };

  /** Only what goes out as the inventory said it counts as told; before it goes out, since the order may be stored at once. */
  function withNotes(call: Call, order: number): Call {
    let said: Reply | undefined;
    return {
      ...call,
      async forward() {
        said = await call.forward();
        return said;
      },
      async answer(reply) {
        if (said && reply.content === said.content) {
          const cents = Math.round(InventoryAnswer.parse(JSON.parse(said.content.toString())).price * 100);
          prices.told.set(order, [...(prices.told.get(order) ?? []), cents]);
          journal.note(order, `the inventory says ${cents} cents`);
        }
        await call.answer(reply);
      },
    };
  }
}
