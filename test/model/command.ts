import type { AsyncCommand } from "fast-check";
import { expect } from "vitest";
import type { Model } from "./model.ts";
import type { Real } from "./real.ts";
import { modelState, realState } from "./state.ts";

export type ModelCommand = AsyncCommand<Model, Real>;

/** How a command reaches Redis: once, or twice because the first reply was lost. */
export type Sent = 1 | 2;

/**
 * A command that does the same on the model and on the real service, and then compares all that they hold.
 * @param name how a failing sequence shows it
 */
export function command(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Model) => boolean = () => true,
): ModelCommand {
  return {
    check,
    async run(model, real) {
      await run(model, real);
      expect(await realState(real)).toEqual(modelState(model));
    },
    toString: () => name,
  };
}

export const how = (sent: Sent): string => (sent === 1 ? "" : ", reply lost");

/** The order of this number, counted from the first and around; undefined when there is none yet. */
export function orderAt(model: Model, index: number): string | undefined {
  return [...model.orders.keys()][index % model.orders.size];
}

export const hasOrders = (model: Model): boolean => model.orders.size > 0;
