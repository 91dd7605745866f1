import type { Bundles } from "../../../test/lambda/bundles.ts";
import { getOrderEvent, placeOrderEvent } from "../../../test/support/http-event.ts";
import { call } from "../call.ts";
import { filled, pkOf } from "../filled-database.ts";
import { type Call, interleave } from "../interleave.ts";
import { ORDER, removeOrders, requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { Settings } from "../settings.ts";
import { type MeasuredStack, startStack } from "../stack.ts";
import { percentile } from "../statistics.ts";

const TARGET = 1.3;

/** Prime, so that the reads of a round are spread over all orders. */
const STRIDE = 7_919;

interface Operation {
  readonly name: string;
  /** Calls a round. */
  readonly calls: (settings: Settings["growth"]) => number;
  /** One call on a stack whose database holds `stored` orders. */
  readonly call: (stack: MeasuredStack, stored: number, settings: Settings["growth"]) => Call;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: "getOrder",
    calls: ({ calls }) => calls,
    call: (stack, stored) => (index) => call(stack, "getOrder", getOrderEvent(pkOf((index * STRIDE) % stored))),
  },
  {
    name: "createOrder",
    calls: ({ calls }) => calls,
    call: (stack) => () =>
      call(stack, "createOrder", placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity })),
  },
  {
    name: "drainRefunds",
    calls: () => 1,
    call:
      (stack, _, { items }) =>
      async () => {
        const pks = await storeCompletedOrders(stack.redis, items);
        await requestRefunds(stack.redis, pks);
        const taken = await call(stack, "drainRefunds", {});
        await removeOrders(stack.redis, pks);
        return taken;
      },
  },
  {
    name: "sweepOrders",
    calls: () => 1,
    call:
      (stack, _, { items }) =>
      async () => {
        const pks = await storeOverdueOrders(stack.redis, items);
        const taken = await call(stack, "sweepOrders", {});
        await removeOrders(stack.redis, pks);
        return taken;
      },
  },
];

/** What a call takes with more and more orders stored: the sizes take turns, each in a Redis of its own. */
export async function measureGrowth(bundles: Bundles, settings: Settings): Promise<Row[]> {
  const { growth, typical } = settings;
  await using stacks = new AsyncDisposableStack();
  const bySize: { stored: number; stack: MeasuredStack }[] = [];
  for (const stored of growth.sizes) {
    const stack = stacks.use(await startStack({ bundles, holdSchedules: true }));
    await filled(stack.redis, stored);
    bySize.push({ stored, stack });
  }
  const rows: Row[] = [];
  for (const operation of OPERATIONS) {
    const calls = operation.calls(growth);
    const sides = bySize.map(({ stack, stored }) => operation.call(stack, stored, growth));
    await interleave(sides, { rounds: 2, calls });
    const taken = await interleave(sides, { rounds: growth.rounds, calls });
    const [first = Number.NaN, ...others] = taken.map((rounds) =>
      typical(rounds.map((ofRound) => percentile(ofRound, 50))),
    );
    for (const [index, subject] of others.entries()) {
      const { stored } = bySize[index + 1] ?? { stored: Number.NaN };
      const measure = `${operation.name} with ${stored.toLocaleString("en")} orders stored`;
      const target = { of: "ratio", bound: "at most", value: TARGET } as const;
      rows.push(
        row({ group: "growth", measure, name: operation.name, at: stored, unit: "ms", subject, floor: first, target }),
      );
    }
  }
  return rows;
}
