import type { Order } from "../../lib/order.ts";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { OrderService } from "../order-service.ts";
import { waitFor } from "../wait-for.ts";
import type { Latch } from "./latch.ts";
import type { Poller } from "./poller.ts";
import type { Row } from "./show.ts";
import type { Entry, Streams } from "./streams.ts";

const LABEL_WIDTH = 13;

export interface Journey {
  readonly service: OrderService;
  readonly streams: Streams;
  /** How long an order may take from one state to the next. */
  readonly timeoutMs: number;
  /** Opens once every refund has been asked for, so that one run of the poller settles them all. */
  readonly refundsAsked: Latch;
}

interface RefundRequest {
  readonly id: string;
  /** The last dead letter before it. */
  readonly after: string;
}

/** The row of an order: pending until its time, completed, and refunded because an inventory service asks for it. */
export function orderWay({ service, streams, timeoutMs, refundsAsked }: Journey, order: Order): Row {
  const { pk, product_id, quantity, created_at } = order;

  async function reach(status: "completed" | "refunded"): Promise<string> {
    let seen = order.status;
    const time = await waitFor(
      async () => {
        const now = await service.find(pk);
        seen = now.status;
        return now[`${status}_at`];
      },
      timeoutMs,
      (seconds) => `order ${pk} is still ${seen}, not ${status}, after ${seconds} s`,
    );
    return `${((Date.parse(time) - Date.parse(created_at)) / 1_000).toFixed(1)} s`;
  }

  return {
    pk,
    label: `${product_id} ×${quantity}`.padEnd(LABEL_WIDTH),
    work: async (say) => {
      say("pending", "0.0 s");
      try {
        say("completed", await reach("completed"));
        await streams.requestRefund({ pk, product_id, quantity: String(quantity) });
      } finally {
        refundsAsked.pass();
      }
      say("refunded", await reach("refunded"));
    },
  };
}

/** The row of a refund request for an order that was never placed, which the poller must refuse. */
export function unknownOrderWay({ streams, timeoutMs, refundsAsked }: Journey, pk: string): Row {
  async function deadLetter({ id, after }: RefundRequest): Promise<Entry> {
    return waitFor(
      async () => (await streams.entriesAfter(DEAD_REFUND_STREAM, after)).find(({ dead_id }) => dead_id === id),
      timeoutMs,
      (seconds) => `refund request ${id}, for an unknown order, is no dead letter after ${seconds} s`,
    );
  }

  return {
    pk,
    label: "unknown order".padEnd(LABEL_WIDTH),
    work: async (say) => {
      let request: RefundRequest;
      try {
        const after = await streams.lastId(DEAD_REFUND_STREAM);
        request = { id: await streams.requestRefund({ pk }), after };
      } finally {
        refundsAsked.pass();
      }
      say("refund asked");
      await refundsAsked.opened;
      say("dead letter", (await deadLetter(request)).dead_reason);
    },
  };
}

/** The row of the poller, which would run by itself at the next full minute. */
export function pollerWay({ refundsAsked }: Journey, poller: Poller): Row {
  return {
    label: "refund poller".padEnd(LABEL_WIDTH),
    work: async (say) => {
      await refundsAsked.opened;
      say(await poller.run());
    },
  };
}
