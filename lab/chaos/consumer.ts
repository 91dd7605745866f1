import { ulid } from "ulid";
import { z } from "zod";
import { dueTime } from "../../lib/orders/completion-delay.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../../lib/redis/keys.ts";
import type { Context } from "./context.ts";
import type { ChaosDatabase, Hash } from "./database.ts";
import { productOf } from "./history.ts";

/** About how many entries `order_completed` keeps in a run: more than are announced between two reads, also during faults. */
export const STREAM_MAX_LENGTH = 400;

/** More than the stream keeps, so that a sweep that completes all at once has trimmed what the group had not read. */
const OVERDUE_ORDERS = 1.5 * STREAM_MAX_LENGTH;

const OUTAGE_MS = 300_000;

const GROUP = "chaos";
const MAX_READ = 500;

/** What one piece costs in a run with prices. */
const PRICE_CENTS = 1_000;
const AMOUNTS = { price: "10.00", fee: "2.00", total: "12.00" };

const Streams = z.array(z.object({ messages: z.array(z.object({ message: z.record(z.string(), z.string()) })) }));

/** A service that reads completed orders as asyncapi.yaml says: through a consumer group. It reads past every fault. */
export async function createConsumer({ options, prices }: Context, database: ChaosDatabase) {
  const announcements: Hash[] = [];
  await database.direct((client) => client.xGroupCreate(COMPLETED_STREAM, GROUP, "0", { MKSTREAM: true }));

  return {
    /** Everything that it has read. */
    announcements,
    /** Reads all that is new. */
    async read(): Promise<void> {
      const stream = { key: COMPLETED_STREAM, id: ">" };
      const settings = { COUNT: MAX_READ, NOACK: true };
      const read = await database.direct((client) => client.xReadGroup(GROUP, GROUP, stream, settings));
      for (const { messages } of Streams.parse(read ?? []))
        announcements.push(...messages.map(({ message }) => message));
    },
    /** Adds orders that an outage of five minutes left pending. */
    async addOverdueOrders(): Promise<void> {
      const createdMs = Date.now() - OUTAGE_MS;
      await database.direct(async (client) => {
        const batch = client.multi();
        for (let order = options.orders + 1; order <= options.orders + OVERDUE_ORDERS; order += 1) {
          const pk = ulid(createdMs);
          const fields = { pk, product_id: productOf(order), quantity: "1", ...(prices && AMOUNTS) };
          prices?.quoted.set(order, [PRICE_CENTS]);
          batch.hSet(orderKey(pk), { ...fields, status: "pending", created_at: new Date(createdMs).toISOString() });
          batch.zAdd(PENDING_KEY, { score: dueTime(pk), value: pk });
        }
        await batch.execAsPipeline();
      });
    },
  };
}
