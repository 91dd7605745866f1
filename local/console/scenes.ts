import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { z } from "zod";
import { dueTime, SWEEP_GRACE_MS } from "../../lib/orders/completion-delay.ts";
import { COMPLETED_STREAM, DEAD_LETTER_STREAM, orderKey, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { Completion } from "./activity.ts";
import type { Faults } from "./faults.ts";
import { Entries } from "./redis.ts";

const PRODUCTS = ["tea", "coffee", "cocoa", "rooibos"];
const ORDER = { id: "tea", quantity: 2 };
const FLOOD = 500;
const CLIENTS = 8;
const LOOK_MS = 250;

/** An order, or a problem document. */
const Body = z.object({
  pk: z.string().default(""),
  status: z.union([z.string(), z.number()]),
  code: z.string().default(""),
  request_id: z.string().default(""),
});

/** What a client got. */
interface Reply {
  readonly status: number;
  /** Of the order; empty when there is none. */
  readonly pk: string;
  readonly isReplayed: boolean;
  readonly retryAfterMs: number;
  /** The whole scene in words. */
  readonly text: string;
}

/** What scenes work with. */
export interface Stage {
  readonly apiUrl: string;
  readonly completions: ReadonlyMap<string, Completion>;
  /** Ends the scene. */
  readonly signal: AbortSignal;
  log(text: string): void;
  /** Says what comes next. */
  expect(text: string): void;
  commands(...list: readonly (readonly (string | number)[])[]): Promise<unknown[]>;
  invoke(name: "drainRefunds" | "sweepOrders"): Promise<string>;
  replay(id: string): Promise<string>;
  setFaults(changed: Partial<Faults>): Promise<void>;
}

export interface Scene {
  readonly title: string;
  readonly about: string;
  readonly takes: string;
  /** Whether it breaks something: only a private Redis is broken. */
  readonly breaks: boolean;
  play(stage: Stage): Promise<void>;
}

export const SCENES = {
  schedule: {
    title: "A schedule that never fires",
    about: "EventBridge Scheduler forgets an order. Who completes it?",
    takes: "2 min",
    breaks: true,
    async play(stage) {
      await stage.setFaults({ schedules: "never" });
      stage.log("From now on no schedule fires.");
      const { pk, text } = await place(stage);
      stage.log(`A client places an order: ${text}.`);
      stage.expect("It is due 5 s after it was placed. Nothing will complete it then.");
      await sleep(dueTime(pk) + 1_500 - Date.now(), undefined, stage);
      stage.log(`It is due, and nothing happens. The client reads it: ${(await send(stage, `/orders/${pk}`)).text}.`);
      stage.expect(`The sweep runs every minute and takes orders that are ${SWEEP_GRACE_MS / 1_000} s overdue.`);
      stage.log(`Healed: ${await completion(stage, pk)} It found the order in orders:pending.`);
    },
  },
  sweep: {
    title: "No schedule to lose",
    about: "In this mode the sweep runs all the time and completes every order.",
    takes: "6 s",
    breaks: false,
    async play(stage) {
      const { pk, text } = await place(stage);
      stage.log(`A client places an order: ${text}. No schedule is created: it waits in orders:pending.`);
      stage.expect("The sweep knows when the next order is due, and waits until then.");
      stage.log(`${await completion(stage, pk)} A run of the sweep that dies is replaced within a minute.`);
    },
  },
  redis: {
    title: "Redis stops and comes back",
    about: "What do clients get, and what happens to their orders?",
    takes: "15 s to 2 min",
    breaks: true,
    async play(stage) {
      const first = await place(stage);
      stage.log(`A client places an order: ${first.text}.`);
      await stage.setFaults({ redis: "down" });
      const stoppedAt = Date.now();
      stage.log("Redis is frozen: it keeps its data and answers nothing.");
      stage.expect("The next client waits for its reply.");
      const key = crypto.randomUUID();
      stage.log(`Another client orders, with an Idempotency-Key: ${(await send(stage, "/orders", ORDER, key)).text}.`);
      stage.expect(`${short(first.pk)} becomes due while Redis is down.`);
      await sleep(dueTime(first.pk) + 2_500 - Date.now(), undefined, stage);
      await stage.setFaults({ redis: "up" });
      stage.log(`Redis is back after ${inSeconds(Date.now() - stoppedAt)}.`);
      let again = await send(stage, "/orders", ORDER, key);
      if (again.status === 409) stage.log(`The second client sends the same again: ${again.text}.`);
      while (again.status === 409) {
        await sleep(again.retryAfterMs, undefined, stage);
        again = await send(stage, "/orders", ORDER, key);
      }
      const stored = again.isReplayed
        ? "Its first attempt had been stored after all"
        : "Its first attempt had stored nothing";
      stage.log(`The second client sends the same again: ${again.text}. ${stored}: there is one order.`);
      stage.expect("Lambda tries again to complete what was due in that time. The sweep finds what has no schedule.");
      stage.log(`Healed: ${await completion(stage, first.pk)}`);
      stage.log(`Healed: ${await completion(stage, again.pk)} No order is lost.`);
    },
  },
  refund: {
    title: "A refund that cannot be made",
    about: "It becomes a dead letter, is repaired and replayed.",
    takes: "12 s",
    breaks: true,
    async play(stage) {
      const { pk, text } = await place(stage);
      stage.log(`A client places an order: ${text}.`);
      stage.expect("It is completed first.");
      await completion(stage, pk);
      const [key, hidden] = [orderKey(pk), `hidden:${pk}`];
      await stage.commands(["RENAME", key, hidden]);
      try {
        stage.log(`An accident: the data of ${short(pk)} is gone. A service asks for its refund on ${REFUND_STREAM}.`);
        const [since] = await stage.commands(["XADD", REFUND_STREAM, "*", "pk", pk, "reason", "damaged"]);
        await stage.invoke("drainRefunds");
        stage.log(
          "The poller finds no such order. It keeps the request as a dead letter, and goes on with the others.",
        );
        stage.expect("Somebody restores the order.");
        await sleep(3_000, undefined, stage);
        await stage.commands(["RENAME", hidden, key]);
        const [letters] = await stage.commands(["XRANGE", DEAD_LETTER_STREAM, "-", "+"]);
        const letter = Entries.parse(letters).find(({ fields }) => fields.dead_id === since);
        stage.log(`The order is restored. ${await stage.replay(letter?.id ?? "")}`);
        await stage.invoke("drainRefunds");
        stage.log(`Healed: the poller reads it again. ${(await send(stage, `/orders/${pk}`)).text}.`);
      } finally {
        const [hides] = await stage.commands(["EXISTS", hidden]);
        if (hides === 1) await stage.commands(["RENAME", hidden, key]);
      }
    },
  },
  twice: {
    title: "The same order, sent twice",
    about: "A client loses the reply and sends its order again.",
    takes: "2 s",
    breaks: false,
    async play(stage) {
      const key = crypto.randomUUID();
      stage.log(
        `A client orders, with an Idempotency-Key: ${(await send(stage, "/orders", ORDER, key)).text}. The reply is lost.`,
      );
      stage.log(`It sends the same again: ${(await send(stage, "/orders", ORDER, key)).text}. There is one order.`);
      const other = await send(stage, "/orders", { ...ORDER, quantity: 3 }, key);
      stage.log(`Another order with the same key: ${other.text}.`);
      const [one, two] = [await place(stage, ORDER), await place(stage, ORDER)];
      stage.log(`Without a key, the same twice is two orders: ${short(one.pk)} and ${short(two.pk)}.`);
    },
  },
  flood: {
    title: `A flood of ${FLOOD} orders`,
    about: "How late is the last one, and is each announced once?",
    takes: "20 s",
    breaks: false,
    async play(stage) {
      const startedAt = Date.now();
      stage.log(`${CLIENTS} clients place ${FLOOD} orders.`);
      const pks = new Set(await placeMany(stage, FLOOD));
      const placedMs = Date.now() - startedAt;
      stage.log(
        `${pks.size} orders were placed in ${inSeconds(placedMs)}: ${Math.round((pks.size * 1_000) / placedMs)} per second.`,
      );
      stage.expect("Each is completed 5 s after it was placed.");
      let late: number[] = [];
      let announced = 0;
      await until(stage, async () => {
        const [entries] = await stage.commands(["XRANGE", COMPLETED_STREAM, startedAt, "+"]);
        const own = Entries.parse(entries).filter(({ fields }) => pks.has(fields.pk ?? ""));
        late = own.map(({ fields }) => Date.parse(fields.completed_at ?? "") - dueTime(fields.pk ?? ""));
        announced = own.length;
        return new Set(own.map(({ fields }) => fields.pk)).size === pks.size;
      });
      late.sort((a, b) => a - b);
      stage.log(
        `All are completed: half at most ${inSeconds(late[pks.size >> 1] ?? 0)} late, the last ${inSeconds(late.at(-1) ?? 0)}.`,
      );
      stage.log(`${COMPLETED_STREAM} has ${announced} entries for these ${pks.size} orders.`);
    },
  },
} as const satisfies Record<string, Scene>;

export type SceneName = keyof typeof SCENES;

/** The scenes of a mode: one without schedules can lose none. */
export function sceneNames(completion: "scheduler" | "sweep"): SceneName[] {
  return [completion === "scheduler" ? "schedule" : "sweep", "redis", "refund", "twice", "flood"];
}

/** @returns the pks of those that were placed */
export async function placeMany(stage: Stage, count: number): Promise<string[]> {
  let failure = "";
  const placed = await pLimit(CLIENTS).map(Array(count), async () => {
    if (stage.signal.aborted) return [];
    const { pk, text } = await send(stage, "/orders", {});
    if (pk === "") failure = text;
    return pk === "" ? [] : [pk];
  });
  const pks = placed.flat();
  if (failure !== "") stage.log(`${count - pks.length} of ${count} were not placed, the last one: ${failure}`);
  stage.signal.throwIfAborted();
  return pks;
}

/** @throws Error when the order is not placed */
async function place(stage: Stage, order: object = {}, key?: string): Promise<Reply> {
  const reply = await send(stage, "/orders", order, key);
  if (reply.pk === "") throw new Error(`an order was not placed: ${reply.text}`);
  return reply;
}

/**
 * Sends a request as a client does.
 * @param order to place, with a product and a quantity by chance where it has none; undefined for a read
 */
export async function send({ apiUrl, signal }: Stage, path: string, order?: object, key?: string): Promise<Reply> {
  const chance = Math.floor(Math.random() * PRODUCTS.length);
  const startedAt = Date.now();
  const response = await fetch(`${apiUrl}${path}`, {
    signal,
    ...(order && {
      method: "POST",
      headers: { "content-type": "application/json", ...(key && { "idempotency-key": key }) },
      body: JSON.stringify({ id: PRODUCTS[chance], quantity: chance + 1, ...order }),
    }),
  });
  const { pk, status, code, request_id } = Body.parse(await response.json());
  const isReplayed = response.headers.has("idempotent-replayed");
  const waited = Date.now() - startedAt;
  const retryAfter = response.headers.get("retry-after");
  const text = [
    `${response.status}${waited >= 1_000 ? ` after ${inSeconds(waited)}` : ""}`,
    pk === "" ? `${code}, request_id ${request_id}` : `order ${short(pk)} is ${status}`,
    ...(isReplayed ? ["Idempotent-Replayed: true"] : []),
    ...(retryAfter === null ? [] : [`Retry-After: ${retryAfter}`]),
  ].join(", ");
  return { status: response.status, pk, isReplayed, retryAfterMs: Number(retryAfter) * 1_000, text };
}

/** Waits until an order is completed. */
async function completion(stage: Stage, pk: string): Promise<string> {
  let completedAt: unknown;
  await until(stage, async () => {
    [completedAt] = await stage.commands(["HGET", orderKey(pk), "completed_at"]);
    return typeof completedAt === "string";
  });
  // The log line may come a moment later. There is none when the reply of Redis was lost.
  await sleep(LOOK_MS, undefined, stage);
  const by = stage.completions.get(pk)?.by;
  const who = by === "sweep" ? "the sweep" : by === "schedule" ? "its schedule" : "a call whose reply was lost";
  return `${who} completed ${short(pk)}, ${inSeconds(Date.parse(String(completedAt)) - dueTime(pk))} after it was due.`;
}

async function until({ signal }: Stage, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(LOOK_MS, undefined, { signal });
}

const short = (pk: string): string => `…${pk.slice(-4)}`;

export const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
