import { type ReactNode, useEffect, useState } from "react";
import { type Container, createRoot } from "react-dom/client";
import type { Action, Snapshot } from "./console.ts";
import { DELIVERIES } from "./faults.ts";
import type { Invocation } from "./output.ts";
import type { Entry, ShownOrder, Store } from "./store.ts";

/** All that is used of the DOM: its whole library in tsconfig.json would give `window` to Lambda functions, too. */
declare const document: { querySelector(selector: string): Container | null };
declare const confirm: (question: string) => boolean;

const STATES = ["all", "pending", "completed", "refunded"] as const;
const TICK_MS = 250;

/** What heals by itself while something is broken, and when. */
const HEALS = {
  redis:
    "Requests get 500 within 4 seconds. Nothing stored is lost: when Redis is back, retries and the sweep complete what is due.",
  inventory:
    "POST gets 504 after 2 seconds and stores nothing. When the inventory is fast again, a client that sends its key again gets its order.",
  "on time": "Each schedule fires 5 to 6 seconds after its order was placed.",
  late: "Each order completes 20 seconds late. On AWS a schedule may be a minute late.",
  twice: "Each order completes once: the second delivery changes nothing.",
  never: "The sweep completes each order once it is 60 seconds overdue. It runs every minute.",
} as const;

const time = (iso: string) => iso.slice(11, 19);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

function Console() {
  const [snapshot, connected] = useSnapshot();
  const [message, setMessage] = useState("");
  const [open, setOpen] = useState<string>();
  async function act(action: Action): Promise<void> {
    setMessage("…");
    setMessage(await send(action));
  }
  if (!snapshot) return <p role="status">Connecting …</p>;
  const { redisError, store, invocations } = snapshot;
  const order = store?.orders.find(({ pk }) => pk === open);
  return (
    <>
      <header>
        <h1>Order service console</h1>
        <span className="muted">local only, never deployed</span>
        {Object.entries(store?.counts ?? {}).map(([name, count]) => (
          <span key={name}>
            {name} <strong>{count.toLocaleString("en")}</strong>
          </span>
        ))}
      </header>
      <main>
        {!connected && <p className="bad">npm start has ended: this page shows what was there last</p>}
        {redisError !== "" && <p className="bad">Redis does not answer ({redisError})</p>}
        <Buttons act={act} />
        <p role="status" aria-live="polite">
          {message}
        </p>
        <BreakIt snapshot={snapshot} act={act} />
        {store && order && <OrderPage {...{ order, store, invocations }} close={() => setOpen(undefined)} />}
        {store && <Orders orders={store.orders} open={setOpen} act={act} />}
        {store && <DeadLetters letters={store.dead} breakable={snapshot.breakable} act={act} />}
        {store && <Streams store={store} />}
        <Invocations invocations={invocations} />
      </main>
    </>
  );
}

type Act = (action: Action) => void;

function Buttons({ act }: { readonly act: Act }) {
  const button = (label: string, action: Action) => (
    <button type="button" onClick={() => act(action)}>
      {label}
    </button>
  );
  return (
    <section aria-label="Actions" className="row">
      {button("Place an order", { action: "place", count: 1 })}
      {button("Place 100 orders", { action: "place", count: 100 })}
      {button("Refund an unknown order", { action: "refund unknown" })}
      {button("Refund without a pk", { action: "refund malformed" })}
      {button("Run the refund poller", { action: "run", name: "drainRefunds" })}
      {button("Run the sweep", { action: "run", name: "sweepOrders" })}
    </section>
  );
}

function BreakIt({ snapshot: { faults, breakable, hasInventory }, act }: { snapshot: Snapshot; act: Act }) {
  const down = faults.redis === "down";
  const slow = faults.inventory === "slow";
  return (
    <section aria-labelledby="break">
      <h2 id="break">Break it</h2>
      {!breakable && <p>This database is yours, so nothing is broken or dropped in it.</p>}
      <div className="row">
        <button
          type="button"
          disabled={!breakable}
          aria-pressed={down}
          onClick={() => act({ action: "break", redis: down ? "up" : "down" })}
        >
          {down ? "Bring Redis back" : "Stop Redis"}
        </button>
        <button
          type="button"
          disabled={!breakable || !hasInventory}
          aria-pressed={slow}
          onClick={() => act({ action: "break", inventory: slow ? "up" : "slow" })}
        >
          {slow ? "Make the inventory fast again" : "Slow the inventory"}
        </button>
        {!hasInventory && <span className="muted">there is none without INVENTORY_URL</span>}
        <label>
          Schedules are delivered{" "}
          <select
            disabled={!breakable}
            value={faults.schedules}
            onChange={({ target }) => act({ action: "break", schedules: selected(target, DELIVERIES) })}
          >
            {DELIVERIES.map((state) => (
              <option key={state}>{state}</option>
            ))}
          </select>
        </label>
      </div>
      <p className="muted">{down ? HEALS.redis : slow ? HEALS.inventory : HEALS[faults.schedules]}</p>
    </section>
  );
}

function Orders({ orders, open, act }: { orders: readonly ShownOrder[]; open: (pk: string) => void; act: Act }) {
  const [state, setState] = useState<(typeof STATES)[number]>("all");
  const now = useNow();
  const shown = orders.filter(({ status }) => state === "all" || status === state);
  return (
    <section aria-labelledby="orders">
      <div className="row">
        <h2 id="orders">Orders</h2>
        <label>
          Show{" "}
          <select value={state} onChange={({ target }) => setState(selected(target, STATES))}>
            {STATES.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {shown.length === 0 && <p>No order yet: place one.</p>}
      {shown.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Order</th>
              <th scope="col">Product</th>
              <th scope="col">Status</th>
              <th scope="col">Timeline (UTC)</th>
              <th scope="col">Refund</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((order) => (
              <tr key={order.pk}>
                <td>
                  <button type="button" className="pk" onClick={() => open(order.pk)}>
                    {order.pk}
                  </button>
                </td>
                <td>
                  {order.product_id} × {order.quantity}
                </td>
                <td className={order.status}>{order.status}</td>
                <td>{timelineOf(order, now).join(" → ")}</td>
                <td>
                  {order.status !== "refunded" && (
                    <button type="button" onClick={() => act({ action: "refund", pk: order.pk })}>
                      Refund <span className="pk">…{order.pk.slice(-4)}</span>
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** The steps of an order, the next one with a countdown. */
function timelineOf(
  { created_at, due, completed_at, announced, requested, refunded_at, status }: ShownOrder,
  now: number,
) {
  const left = due - now;
  return [
    `placed ${time(created_at)}`,
    ...(completed_at ? [`completed ${time(completed_at)}`] : []),
    ...(announced ? ["announced"] : []),
    ...(status === "pending" ? [left > 0 ? `due in ${seconds(left)}` : `overdue by ${seconds(-left)}`] : []),
    ...(requested ? ["refund requested"] : []),
    ...(refunded_at ? [`refunded ${time(refunded_at)}`] : []),
  ];
}

interface OrderPageProps {
  readonly order: ShownOrder;
  readonly store: Store;
  readonly invocations: readonly Invocation[];
  readonly close: () => void;
}

function OrderPage({ order, store, invocations, close }: OrderPageProps) {
  const { due, announced, requested, ...hash } = order;
  const schedule = useSchedule(order);
  const entries = [
    ["order_completed", store.completed],
    ["refund_order", store.requests],
    ["refund_order:dead", store.dead],
  ] as const;
  const lines = invocations.flatMap((one) => one.logged.lines.filter((line) => line.includes(order.pk)));
  return (
    <section aria-labelledby="order">
      <div className="row">
        <h2 id="order">
          Order <span className="pk">{order.pk}</span>
        </h2>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <p>
        Hash <code>order:{order.pk}</code>
      </p>
      <pre>{JSON.stringify(hash, null, 2)}</pre>
      <p>Schedule, due {new Date(due).toISOString()} and rounded up to the second</p>
      <pre>{schedule}</pre>
      {entries.flatMap(([name, list]) =>
        list
          .filter(({ fields }) => fields.pk === order.pk)
          .map(({ id, fields }) => <pre key={`${name} ${id}`}>{`${name} ${id} ${JSON.stringify(fields)}`}</pre>),
      )}
      {lines.length > 0 && <pre>{lines.toReversed().join("\n")}</pre>}
    </section>
  );
}

function DeadLetters({ letters, breakable, act }: { letters: readonly Entry[]; breakable: boolean; act: Act }) {
  function drop(id: string): void {
    if (confirm(`Delete dead letter ${id}? Its refund is never made.`)) act({ action: "drop", id });
  }
  return (
    <section aria-labelledby="dead">
      <h2 id="dead">Dead letters: refund_order:dead</h2>
      {letters.length === 0 && <p className="muted">None.</p>}
      {letters.map(({ id, fields: { dead_reason, ...fields } }) => (
        <div key={id} className="row">
          <code>{id}</code>
          <strong>{dead_reason}</strong>
          <code>{JSON.stringify(fields)}</code>
          <button type="button" aria-label={`Replay ${id}`} onClick={() => act({ action: "replay", id })}>
            Replay
          </button>
          <button type="button" aria-label={`Drop ${id}`} disabled={!breakable} onClick={() => drop(id)}>
            Drop
          </button>
        </div>
      ))}
    </section>
  );
}

function Streams({ store }: { readonly store: Store }) {
  return (
    <div className="columns">
      <Stream name="order_completed" entries={store.completed} groups={store.groups.completed} />
      <Stream name="refund_order" entries={store.requests} groups={store.groups.requests}>
        {store.unsettled.map(({ id, consumer, idleMs, deliveries }) => (
          <p key={id} className="bad">
            {id} is pending: read by {consumer} {seconds(idleMs)} ago, {deliveries} times so far
          </p>
        ))}
      </Stream>
    </div>
  );
}

interface StreamProps {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly groups: Store["groups"]["completed"];
  readonly children?: ReactNode;
}

function Stream({ name, entries, groups, children }: StreamProps) {
  return (
    <section aria-label={`Stream ${name}`}>
      <h2>{name}</h2>
      {groups.map((group) => (
        <p key={group.name}>
          consumer group {group.name}: {group.pending} pending, {group.lag} not read
        </p>
      ))}
      {children}
      {entries.slice(0, 10).map(({ id, fields }) => (
        <div key={id}>
          <code>
            {id} {JSON.stringify(fields)}
          </code>
        </div>
      ))}
      {entries.length === 0 && <p className="muted">Empty.</p>}
    </section>
  );
}

function Invocations({ invocations }: { invocations: readonly Invocation[] }) {
  return (
    <section aria-labelledby="invocations">
      <h2 id="invocations">Invocations</h2>
      {invocations.length === 0 && <p className="muted">None since npm start.</p>}
      {invocations.map(({ id, name, durationMs, endedAt, logged: { failed, start, lines } }) => (
        <details key={id}>
          <summary className={failed ? "bad" : ""}>
            {time(new Date(endedAt).toISOString())}{" "}
            {[name, `${durationMs.toFixed(0)} ms`, start, failed && "failed"].filter(Boolean).join(", ")}
          </summary>
          <pre>{lines.length > 0 ? lines.join("\n") : "It logged nothing."}</pre>
        </details>
      ))}
    </section>
  );
}

/** The newest snapshot, and whether the server still sends. */
function useSnapshot(): readonly [Snapshot | undefined, boolean] {
  const [snapshot, setSnapshot] = useState<Snapshot>();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    const events = new EventSource("/events");
    events.onmessage = ({ data }) => setSnapshot(JSON.parse(data));
    events.onopen = () => setConnected(true);
    events.onerror = () => setConnected(false);
    return () => events.close();
  }, []);
  return [snapshot, connected];
}

/** The Scheduler's answer when the order was opened, and when it changed. */
function useSchedule({ pk, status }: ShownOrder): string {
  const [schedule, setSchedule] = useState("…");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the schedule of an order goes when its status changes
  useEffect(() => {
    fetch(`/schedules/${pk}`)
      .then((reply) => reply.text())
      .then(setSchedule, () => setSchedule("The Scheduler does not answer."));
  }, [pk, status]);
  return schedule;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** What is selected. The DOM has no types here. */
function selected<Value extends string>(select: object, values: readonly [Value, ...Value[]]): Value {
  return values.find((value) => value === Reflect.get(select, "value")) ?? values[0];
}

async function send(action: Action): Promise<string> {
  const reply = await fetch("/actions", { method: "POST", body: JSON.stringify(action) });
  return reply.text();
}

const container = document.querySelector("#console");
if (container) createRoot(container).render(<Console />);
