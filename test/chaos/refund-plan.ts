import { setTimeout as wait } from "node:timers/promises";
import type { Chance } from "./chance.ts";
import type { Faults } from "./faults.ts";
import { INVALID, type RefundDesk } from "./refund-requests.ts";

const PLANS = { none: 55, while_pending: 12, around_completion: 10, after_completion: 12, duplicates: 6, in_flood: 5 };

/** The flood holds so many requests for each order of the run: 5,000 for 2,000 orders. */
const FLOOD_PER_ORDER = 2.5;

export interface RefundPlan {
  /** Asks for the refunds that are planned for an order, each at its time. */
  follow(order: number, pk: string): void;
  /** All that waited for the flood, many times over, at once. */
  flood(orders: number): Promise<void>;
  /** Resolves when everything planned has been asked. */
  done(): Promise<void>;
}

export function createRefundPlan(chance: Chance, faults: Faults, rate: number, desk: RefundDesk): RefundPlan {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const forFlood: { order: number; pk: string }[] = [];

  function later(delayMs: number, work: () => Promise<void>): void {
    const task = wait(delayMs)
      .then(work)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(task));
    underWay.add(task);
  }

  function follow(order: number, pk: string): void {
    const plan = chance.pick(`refund of order ${order}`, PLANS);
    const delay = (number: number, from: number, to: number) =>
      chance.between(`refund ${number} of ${order}`, from, to);
    const ask = () => desk.ask(order, pk);
    if (plan === "while_pending") later(delay(1, 0, 1_000), ask);
    if (plan === "around_completion") later(delay(1, 4_000, 6_500), ask);
    if (plan === "after_completion") later(delay(1, 7_000, 9_000), ask);
    if (plan === "duplicates") for (const number of [1, 2, 3]) later(delay(number, 0, 9_000), ask);
    if (plan === "in_flood") forFlood.push({ order, pk });
    if (chance.at(`invalid request with order ${order}`) < rate) {
      const kind = chance.pick(`kind of invalid request with order ${order}`, INVALID);
      faults.count(`refunds.${kind}`);
      later(delay(4, 0, 3_000), () => desk.askInvalid(kind));
    }
    if (plan !== "none" && plan !== "in_flood") faults.count(`refunds.${plan}`);
  }

  async function flood(orders: number): Promise<void> {
    const size = Math.round(orders * FLOOD_PER_ORDER);
    faults.count("refunds.flood");
    const asked = Array.from({ length: size }, (_, index) => {
      const one = forFlood[index % Math.max(1, forFlood.length)];
      // Every tenth cannot be settled: a flood of bad entries must not keep the good ones waiting.
      return !one || index % 10 === 9 ? desk.askInvalid("unknown") : desk.ask(one.order, one.pk);
    });
    await Promise.all(asked);
  }

  async function done(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay);
    if (failures.length > 0) throw new AggregateError(failures, "Refunds could not be asked for");
  }

  return { follow, flood, done };
}
