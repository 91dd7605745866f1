import { z } from "zod";
import { dueTime, SWEEP_GRACE_MS } from "../../lib/orders/completion-delay.ts";
import { Order, OrderPk } from "../../lib/orders/order.ts";
import {
  COMPLETED_STREAM,
  DEAD_LETTER_STREAM,
  orderKey,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";

/** How many orders and stream entries a page shows. */
export const SHOWN = 100;

/** How many orders are remembered, so that one that is on no stream any more is still shown. */
const REMEMBERED = 300;

const TIMEOUT_MS = 1_500;

/** Names and values in turn, as Redis replies. */
const Fields = z.array(z.union([z.string(), z.number(), z.null()])).transform((flat) => {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[String(flat[index])] = String(flat[index + 1] ?? "");
  return fields;
});
export const Entries = z
  .array(z.tuple([z.string(), Fields]))
  .transform((entries) => entries.map(([id, fields]) => ({ id, fields })));
export type Entry = z.infer<typeof Entries>[number];

const Group = z.object({ name: z.string(), pending: z.coerce.number(), lag: z.coerce.number() });
const Groups = z.array(Fields.transform((fields) => Group.parse(fields)));

/** Of XPENDING: requests that a poller has read and not acknowledged. */
const Unsettled = z.array(
  z
    .tuple([z.string(), z.string(), z.number(), z.number()])
    .transform(([id, consumer, idleMs, deliveries]) => ({ id, consumer, idleMs, deliveries })),
);

const Counts = z.record(z.string(), z.number());

const Reply = z.object({ result: z.unknown().optional(), error: z.string().optional() });
/** One for each command, or the error of all: Redis cannot be reached. */
const Replies = z.union([z.array(Reply), Reply.transform((reply) => [reply])]);

/** An order, when it is due in ms since the epoch, and the ids of its stream entries. */
export type ShownOrder = Order & { readonly due: number; readonly announced?: string; readonly requested?: string };

export type Store = Awaited<ReturnType<ReturnType<typeof openStore>["read"]>>;

/** What the console reads of a database, over the REST protocol of Upstash. Opening it sends nothing. */
export function openStore({ url, token }: { readonly url: string; readonly token: string }) {
  const remembered = new Set<string>();

  /** @throws Error when Redis does not answer in time, or refuses a command */
  async function commands(...list: readonly (readonly (string | number)[])[]): Promise<unknown[]> {
    const response = await fetch(`${url}/pipeline`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(list),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return Replies.parse(await response.json()).map(({ result, error }) => {
      // A stream without entries has no groups, and one that was never read lacks the poller's.
      if (error !== undefined && !/^(ERR no such key|NOGROUP)/.test(error)) throw new Error(error);
      return result ?? [];
    });
  }

  /** Shows these orders from now on. */
  function remember(pks: readonly string[]): void {
    for (const pk of pks) if (OrderPk.safeParse(pk).success) remembered.add(pk);
    for (const pk of [...remembered].toSorted().slice(0, -REMEMBERED)) remembered.delete(pk);
  }

  async function readOrders(completed: readonly Entry[], requests: readonly Entry[]): Promise<ShownOrder[]> {
    const pks = [...remembered].toSorted().reverse().slice(0, SHOWN);
    if (pks.length === 0) return [];
    const hashes = await commands(...pks.map((pk) => ["HGETALL", orderKey(pk)]));
    const idOf = (entries: readonly Entry[], pk: string) => entries.find(({ fields }) => fields.pk === pk)?.id;
    return hashes.flatMap((hash) => {
      const order = Order.safeParse(Fields.parse(hash));
      if (!order.success) return [];
      const { pk } = order.data;
      const [announced, requested] = [idOf(completed, pk), idOf(requests, pk)];
      return [{ ...order.data, due: dueTime(pk), ...(announced && { announced }), ...(requested && { requested }) }];
    });
  }

  async function read() {
    const streams = [COMPLETED_STREAM, REFUND_STREAM, DEAD_LETTER_STREAM];
    const replies = await commands(
      ["ZRANGE", PENDING_KEY, 0, SHOWN - 1, "REV"],
      ["ZCARD", PENDING_KEY],
      ["ZCOUNT", PENDING_KEY, "-inf", Date.now() - SWEEP_GRACE_MS],
      ["XINFO", "GROUPS", COMPLETED_STREAM],
      ["XINFO", "GROUPS", REFUND_STREAM],
      ["XPENDING", REFUND_STREAM, REFUND_GROUP, "-", "+", SHOWN],
      ...streams.map((stream) => ["XLEN", stream]),
      ...streams.map((stream) => ["XREVRANGE", stream, "+", "-", "COUNT", SHOWN]),
    );
    const [pks, pending, overdue, completedGroups, refundGroups, unsettled, ...ofStreams] = replies;
    const [announced, requested, refused, ...newest] = ofStreams;
    const [completed = [], requests = [], dead = []] = newest.map((entries) => Entries.parse(entries));
    remember([...z.array(z.string()).parse(pks), ...completed.map(({ fields }) => fields.pk ?? "")]);
    return {
      completed,
      requests,
      dead,
      orders: await readOrders(completed, requests),
      counts: Counts.parse({ pending, overdue, announced, "refund requests": requested, "dead letters": refused }),
      groups: { completed: Groups.parse(completedGroups), requests: Groups.parse(refundGroups) },
      unsettled: Unsettled.parse(unsettled),
    };
  }

  return { commands, remember, read };
}
