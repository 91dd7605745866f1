import { type ReactNode, useEffect, useState } from "react";
import type { Snapshot } from "./console.ts";
import { type Entry, SHOWN, type ShownOrder, type Store } from "./redis.ts";
import { type Act, clock, count, goods, inSeconds, STATES, short, stateOf, Term, useNow } from "./view.tsx";

declare const confirm: (question: string) => boolean;
declare global {
  /** Without the DOM's types, React's are empty. */
  interface HTMLDialogElement {
    readonly open: boolean;
    showModal(): void;
  }
}

const TABS = ["Orders", "Dead letters", "Streams", "Invocations"] as const;

/** Functions that reply to clients, and of these the ones that change nothing. */
const OF_HTTP = /^(createOrder|getOrder|docs|unknownRoute)$/;
const READS = /^(getOrder|docs)$/;

const SCHEDULE_INTERVAL_MS = 1_000;

interface DetailsProps {
  readonly snapshot: Snapshot;
  readonly store: Store;
  readonly act: Act;
  readonly openPk: string;
  readonly open: (pk: string) => void;
}

/** All that there is, in tabs, and the order that is open. */
export function Details({ snapshot, store, act, openPk, open }: DetailsProps) {
  const [tab, setTab] = useState<(typeof TABS)[number]>("Orders");
  const { dead, completed, requests, groups, unsettled } = store;
  const order = store.orders.find(({ pk }) => pk === openPk);
  function drop(id: string): void {
    if (confirm(`Delete dead letter ${id}? Its refund is never made.`)) act({ action: "drop", id });
  }
  return (
    <section aria-label="Details">
      <div role="tablist" className="row tabs">
        {TABS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            className="plain soft"
            aria-controls="panel"
            aria-selected={tab === name}
            onClick={() => setTab(name)}
          >
            {name} {name === "Dead letters" && dead.length > 0 && store.counts["dead letters"]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="panel" aria-label={tab}>
        {tab === "Orders" && <Orders {...{ snapshot, store, act, open }} />}
        {tab === "Dead letters" && (
          <Stream name="refund_order:dead" entries={dead} empty="None: every request could be met.">
            {({ id }) => (
              <div className="row">
                <button type="button" aria-label={`Replay ${id}`} onClick={() => act({ action: "replay", id })}>
                  Replay
                </button>
                <button type="button" aria-label={`Drop ${id}`} disabled={!snapshot.breakable} onClick={() => drop(id)}>
                  Drop
                </button>
              </div>
            )}
          </Stream>
        )}
        {tab === "Streams" && (
          <div className="two">
            <Stream
              name="order_completed"
              entries={completed}
              groups={groups.completed}
              empty="Nothing is completed yet."
            />
            <Stream
              name="refund_order"
              entries={requests}
              groups={groups.requests}
              empty="None: settled requests are deleted."
            >
              {({ id }) =>
                unsettled
                  .filter((each) => each.id === id)
                  .map(({ consumer, idleMs, deliveries }) => (
                    <span key={id} className="red">
                      pending: read by {consumer} {inSeconds(idleMs)} ago, {deliveries} times so far
                    </span>
                  ))
              }
            </Stream>
          </div>
        )}
        {tab === "Invocations" && <Invocations snapshot={snapshot} />}
      </div>
      {order && <OrderDialog {...{ order, store, snapshot }} close={() => open("")} />}
    </section>
  );
}

function Orders({ snapshot, store: { orders, counts }, act, open }: Omit<DetailsProps, "openPk">) {
  const now = useNow();
  return (
    <>
      <ul className="entries orders" aria-label="Orders">
        {orders.map((order) => {
          const state = stateOf(order, now);
          return (
            <li key={order.pk}>
              <button type="button" className="plain" title={order.pk} onClick={() => open(order.pk)}>
                <code>{short(order.pk)}</code>
              </button>
              <span>{goods(order)}</span>
              <b className={STATES[state]}>{state}</b>
              <span className="way soft">{wayOf(order, snapshot, now).join(" → ")}</span>
              {!order.requested && order.status !== "refunded" && (
                <button
                  type="button"
                  aria-label={`Refund ${short(order.pk)}`}
                  onClick={() => act({ action: "refund", pk: order.pk })}
                >
                  Refund
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {orders.length === 0 && <p className="soft">No order yet. Place one, or play a scene.</p>}
      {orders.length === SHOWN && (
        <p className="soft">
          These are the newest {SHOWN} orders. {count(counts.pending ?? 0)} are waiting, {count(counts.announced ?? 0)}{" "}
          were announced.
        </p>
      )}
    </>
  );
}

/** The steps of an order, the next one with a countdown. */
function wayOf(order: ShownOrder, { completions }: Snapshot, now: number): string[] {
  const { created_at, due, completed_at, announced, requested, refunded_at, status } = order;
  const { by = "", lateMs = 0 } = completions[order.pk] ?? {};
  const late = by && ` (${inSeconds(lateMs)} late${by === "sweep" ? ", by the sweep" : ""})`;
  return [
    `placed ${clock(created_at)}`,
    ...(completed_at ? [`completed ${clock(completed_at)}${late}`] : []),
    ...(announced ? ["announced"] : []),
    ...(status === "pending"
      ? [due > now ? `due in ${inSeconds(due - now)}` : `overdue by ${inSeconds(now - due)}`]
      : []),
    ...(requested ? ["refund requested"] : []),
    ...(refunded_at ? [`refunded ${clock(refunded_at)}`] : []),
  ];
}

interface OrderDialogProps extends Pick<DetailsProps, "store" | "snapshot"> {
  readonly order: ShownOrder;
  readonly close: () => void;
}

function OrderDialog({ order, store, snapshot, close }: OrderDialogProps) {
  const { due, announced, requested, ...hash } = order;
  const schedule = useSchedule(order);
  const entries = [...store.completed, ...store.requests, ...store.dead].filter(({ fields }) => fields.pk === order.pk);
  const lines = snapshot.invocations.flatMap(({ logged }) => logged.lines.filter((line) => line.includes(order.pk)));
  const parts = [
    [`Hash order:${order.pk}`, JSON.stringify(hash, null, 2)],
    [`Schedule, due ${new Date(due).toISOString()} and rounded up to the second`, schedule],
    ["Stream entries", entries.map(({ id, fields }) => `${id} ${JSON.stringify(fields)}`).join("\n") || "None yet."],
    ["Log lines", lines.toReversed().join("\n") || "None any more."],
  ];
  return (
    <dialog
      aria-labelledby="order"
      onClose={close}
      ref={(dialog) => void (dialog?.open === false && dialog.showModal())}
    >
      <div className="row">
        <h2 id="order">
          {goods(order)} <code>{order.pk}</code>
        </h2>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <p>{wayOf(order, snapshot, Date.now()).join(" → ")}</p>
      {parts.map(([title, text]) => (
        <div key={title}>
          <small>{title}</small>
          <pre>{text}</pre>
        </div>
      ))}
    </dialog>
  );
}

interface StreamProps {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly groups?: Store["groups"]["completed"];
  readonly empty: string;
  readonly children?: (entry: Entry) => ReactNode;
}

function Stream({ name, entries, groups = [], empty, children }: StreamProps) {
  return (
    <div>
      <h3>{name}</h3>
      {groups.map((group) => (
        <p key={group.name}>
          <Term name="consumer group" /> {group.name}: {group.pending} pending, {group.lag} not read
        </p>
      ))}
      <ul className="entries" aria-label={name}>
        {entries.map((entry) => (
          <li key={entry.id}>
            <b className="red">{entry.fields.dead_reason?.replaceAll("_", " ")}</b>{" "}
            <code>
              {entry.id} {JSON.stringify(entry.fields)}
            </code>
            {children?.(entry)}
          </li>
        ))}
        {entries.length === 0 && <li className="soft">{empty}</li>}
      </ul>
    </div>
  );
}

function Invocations({ snapshot: { invocations } }: { readonly snapshot: Snapshot }) {
  const [withReads, setWithReads] = useState(false);
  const shown = invocations.filter(({ name, logged }) => withReads || !READS.test(name) || logged.status !== undefined);
  return (
    <>
      <label className="small">
        <input type="checkbox" checked={withReads} onChange={() => setWithReads(!withReads)} /> with reads that
        succeeded
      </label>
      {shown.length === 0 && <p className="soft">None since npm start.</p>}
      {shown.map(({ id, name, durationMs, endedAt, logged: { failed, start, status, lines } }) => (
        <details key={id}>
          <summary className={failed ? "red" : status ? "amber" : ""}>
            {clock(endedAt)} {name} <b>{status ?? (failed ? "failed" : OF_HTTP.test(name) ? "200" : "ran")}</b>{" "}
            {durationMs.toFixed(0)} ms {start}
          </summary>
          <pre>{lines.join("\n") || "It logged nothing."}</pre>
        </details>
      ))}
    </>
  );
}

/** The Scheduler's answer, for as long as the order is open. */
function useSchedule({ pk }: ShownOrder): string {
  const [schedule, setSchedule] = useState("…");
  useEffect(() => {
    const read = () =>
      fetch(`/schedules/${pk}`)
        .then((response) => response.text())
        .then(setSchedule, () => setSchedule("The Scheduler does not answer."));
    void read();
    // Again and again: a schedule goes a moment after its order's status has changed.
    const timer = setInterval(read, SCHEDULE_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [pk]);
  return schedule;
}
