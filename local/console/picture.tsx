import type { ReactNode } from "react";
import { COMPLETION_DELAY_MS, SWEEP_GRACE_MS } from "../../lib/orders/completion-delay.ts";
import type { Snapshot } from "./console.ts";
import type { ShownOrder, Store } from "./redis.ts";
import { type Act, count, goods, inSeconds, STATES, short, stateOf, Term, useNow } from "./view.tsx";

/** How long an order is shown at the end of its way. */
const SHOWN_MS = 30_000;

const ROWS = 4;
const MAX_LETTERS = 12;

interface PictureProps {
  readonly snapshot: Snapshot;
  readonly act: Act;
  readonly open: (pk: string) => void;
}

/** The way of an order: five stations, and the orders as marks that travel along it. */
export function Picture({ snapshot: { totals, store, chart, completion, completions }, act, open }: PictureProps) {
  const now = useNow();
  const { orders = [], dead = [], groups, counts } = store ?? {};
  const pending = orders.filter(({ status }) => status === "pending").toSorted((a, b) => a.due - b.due);
  const late = chart.flatMap((second) => second.late).toSorted((a, b) => a - b);
  const link = (order: ShownOrder) => (
    <button type="button" className="plain" title={order.pk} onClick={() => open(order.pk)}>
      {goods(order)} <code>{short(order.pk)}</code>
    </button>
  );
  return (
    <section aria-label="The way of an order">
      <Rail orders={orders} letters={dead.length} now={now} />
      <ol className="lanes">
        <Lane name="Placed" number={totals.placed} about="by POST /orders, since npm start">
          <li>
            <button type="button" className="go" onClick={() => act({ action: "place", count: 1 })}>
              Place an order
            </button>
          </li>
        </Lane>
        <Lane
          name="Waiting"
          number={counts?.pending}
          about={`5 seconds each, then ${completion === "scheduler" ? "a schedule" : "the sweep"} completes it`}
        >
          {pending.slice(0, ROWS).map((order) => {
            const color = STATES[stateOf(order, now)];
            const left = (order.due - now) / 1_000;
            return (
              <li key={order.pk}>
                <i className={`ring ${color}`} style={{ ["--p" as string]: 1 - left / 5 }} /> {link(order)}{" "}
                <b className={color}>
                  {color === "amber" ? `${(-left).toFixed(0)} s late` : `${Math.max(0, left).toFixed(1)} s`}
                </b>
              </li>
            );
          })}
          {pending.some((order) => stateOf(order, now) === "overdue") && (
            <li style={{ whiteSpace: "normal" }}>
              the <Term name="sweep" /> completes what is {SWEEP_GRACE_MS / 1_000} s late
            </li>
          )}
        </Lane>
        <Lane
          name="Completed"
          number={totals.completed}
          about={
            late.length > 0 ? `half within ${inSeconds(late[late.length >> 1] ?? 0)} of the due time` : "once each"
          }
        >
          {orders
            .filter(({ pk }) => completions[pk])
            .slice(0, ROWS)
            .map((order) => (
              <li key={order.pk}>
                {link(order)}{" "}
                {completion === "scheduler" && completions[order.pk]?.by === "sweep" && (
                  <b className="green">by sweep</b>
                )}
              </li>
            ))}
        </Lane>
        <Lane name="Announced" number={counts?.announced} about="on the stream order_completed, once each">
          {groups?.completed.map(({ name, lag, pending: unsettled }) => (
            <li key={name}>
              {name} {lag + unsettled === 0 ? "has read all" : `has ${count(lag + unsettled)} to read`}
            </li>
          ))}
          {groups?.completed.length === 0 && <li className="soft">no other service reads it yet</li>}
        </Lane>
        <Lane name="Refunded" number={totals.refunded} about="asked for on refund_order, read every minute">
          {dead.slice(0, ROWS).map(({ id, fields }) => (
            <li key={id} className="red">
              <Term name="dead letter" />: {fields.dead_reason?.replaceAll("_", " ")}
            </li>
          ))}
        </Lane>
      </ol>
    </section>
  );
}

interface LaneProps {
  readonly name: string;
  /** Undefined as long as Redis was not read. */
  readonly number: number | undefined;
  readonly about: string;
  readonly children: ReactNode;
}

function Lane({ name, number, about, children }: LaneProps) {
  return (
    <li>
      <div className="station">
        <h2>{name}</h2>
        <strong>{number === undefined ? "–" : count(number)}</strong>
      </div>
      <div className="more">
        <small>
          <b>{name}: </b>
          {about}
        </small>
        <ul className="rows">{children}</ul>
      </div>
    </li>
  );
}

function Rail({ orders, letters, now }: { orders: Store["orders"]; letters: number; now: number }) {
  return (
    <div className="rail" aria-hidden="true">
      {orders.length + letters === 0 && <p className="soft">Place an order, and watch it travel.</p>}
      {[0, 20, 40, 60, 80].map((x) => (
        <i key={x} className="stop" style={at(x)} />
      ))}
      {orders.map((order) => (
        <i key={order.pk} className={STATES[stateOf(order, now)]} title={short(order.pk)} style={placeOf(order, now)} />
      ))}
      {[..."x".repeat(Math.min(letters, MAX_LETTERS))].map((_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <i key={`letter ${index}`} className="square red" style={{ ...at(82 + index * 1.4), bottom: 4 }} />
      ))}
    </div>
  );
}

/** Where an order is on its way. At its end it fades. */
function placeOf(order: ShownOrder, now: number) {
  const { pk, due, completed_at, refunded_at, created_at } = order;
  const state = stateOf(order, now);
  const age = now - Date.parse(refunded_at ?? completed_at ?? created_at);
  const progress = Math.min(1, 1 - (due - now) / COMPLETION_DELAY_MS);
  // By the random part of its pk, so that orders of one moment are beside each other.
  const [across, along] = [spread(pk.slice(-2)), spread(pk.slice(-4, -2))];
  const x = {
    waiting: 20 + 18 * progress,
    overdue: 36 + 2 * along,
    completed: age < 900 ? 41 : 61 + 15 * along,
    "refund requested": 78.5,
    refunded: 81 + 16 * along,
  }[state];
  const isDone = state === "completed" || state === "refunded";
  return { ...at(x), bottom: 8 + 60 * across, opacity: isDone ? Math.max(0, 1 - age / SHOWN_MS) : 1 };
}

/** From the left, in percent. A property of its own, so that a new mark can start at the left end (page.css). */
const at = (x: number) => ({ ["--x" as string]: `${x}%` });

/** 0 to 1, by two characters of base 32. */
const spread = (text: string) => Number.parseInt(text.replace(/[W-Z]/g, "V"), 32) / 1_023;
