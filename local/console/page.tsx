import { useEffect, useState } from "react";
import { type Container, createRoot } from "react-dom/client";
import { Chart } from "./chart.tsx";
import type { Action, Snapshot } from "./console.ts";
import { Details } from "./details.tsx";
import { DELIVERIES } from "./faults.ts";
import "./page.css";
import { Picture } from "./picture.tsx";
import { type Act, clock, selected, Term, useNow } from "./view.tsx";

/** All that is used of the DOM: its whole library in tsconfig.json would give `window` to Lambda functions, too. */
declare const document: { querySelector(selector: string): Container | null };

function Console() {
  const [snapshot, connected] = useSnapshot();
  const [openPk, open] = useState("");
  if (!snapshot) return <p role="status">Connecting …</p>;
  const act: Act = (action) => void fetch("/actions", { method: "POST", body: JSON.stringify(action) }).catch(() => {});
  const { store } = snapshot;
  return (
    <>
      <header>
        <h1>Orders, live</h1>
        <p>
          A shop places an order. It waits 5 seconds, is completed, and is <Term name="announced" /> to other services,
          which may ask for a refund. A refund request that cannot be carried out becomes a <Term name="dead letter" />.
          If a fault delays an order, the <Term name="sweep" />, a job that runs every minute, completes it. Play a
          scene to see how the service recovers.
        </p>
        <Chips snapshot={snapshot} connected={connected} />
      </header>
      <main>
        <fieldset disabled={!connected}>
          <Picture snapshot={snapshot} act={act} open={open} />
          <div className="two">
            <Scenes snapshot={snapshot} act={act} />
            <Log snapshot={snapshot} />
          </div>
          <Chart snapshot={snapshot} />
          {store && <Details {...{ snapshot, store, act, openPk, open }} />}
        </fieldset>
      </main>
    </>
  );
}

interface Part {
  readonly snapshot: Snapshot;
  readonly act: Act;
}

function Chips({ snapshot, connected }: { readonly snapshot: Snapshot; readonly connected: boolean }) {
  const { redisError, faults, completion, apiUrl, breakable, hasInventory } = snapshot;
  const isScheduled = completion === "scheduler";
  const chip = (name: string, state: string, isBad: boolean) => (
    <li>
      {name} <b className={isBad ? "red" : "green"}>{state}</b>
    </li>
  );
  return (
    <ul className="chips row" aria-label="State">
      {connected
        ? chip("Redis", redisError === "" ? "up" : "does not answer", redisError !== "")
        : chip("npm start", "has ended: this was there last", true)}
      {chip("Completed by", isScheduled ? "a schedule each" : "the sweep, all the time", false)}
      {isScheduled && chip("Schedules fire", faults.schedules, faults.schedules !== "on time")}
      {hasInventory && chip("Inventory", faults.inventory, faults.inventory !== "up")}
      <li>{breakable ? "on this machine only" : "your database: nothing is broken in it"}</li>
      <li>
        <a href="/README.md">README</a>
      </li>
      <li>
        <a href={`${apiUrl}/docs`}>API docs</a>
      </li>
    </ul>
  );
}

function Scenes({ snapshot, act }: Part) {
  const { scenes, playing } = snapshot;
  const now = useNow();
  return (
    <section aria-labelledby="scenes">
      <h2 id="scenes">Scenes</h2>
      {scenes.map(({ name, title, about, takes, allowed }) => {
        const isPlaying = playing?.name === name;
        return (
          <div key={name} className={isPlaying ? "scene playing" : "scene"}>
            <strong>{title}</strong>
            <small>
              {isPlaying ? `Playing for ${Math.max(0, Math.floor((now - playing.startedAt) / 1_000))} s` : about}
            </small>
            <button
              type="button"
              className={isPlaying ? "" : "go"}
              disabled={!allowed || (playing !== undefined && !isPlaying)}
              aria-label={`${isPlaying ? "Stop" : `Play, ${takes}`}: ${title}`}
              onClick={() => act(isPlaying ? { action: "stop" } : { action: "play", scene: name })}
            >
              {isPlaying ? "Stop" : `Play, ${takes}`}
            </button>
          </div>
        );
      })}
      <ByHand snapshot={snapshot} act={act} />
    </section>
  );
}

function ByHand({ snapshot: { faults, breakable, hasInventory, completion }, act }: Part) {
  const down = faults.redis === "down";
  const slow = faults.inventory === "slow";
  const buttons: readonly (readonly [label: string, action: Action])[] = [
    ["Place 100 orders", { action: "place", count: 100 }],
    ["Refund an unknown order", { action: "refund unknown" }],
    ["Refund without a pk", { action: "refund malformed" }],
    ["Run the refund poller", { action: "run", name: "drainRefunds" }],
    ["Run the sweep", { action: "run", name: "sweepOrders" }],
    [down ? "Bring Redis back" : "Stop Redis", { action: "break", redis: down ? "up" : "down" }],
    [slow ? "Make the inventory fast" : "Slow the inventory", { action: "break", inventory: slow ? "up" : "slow" }],
  ];
  const isOffered = ({ action, inventory }: { action: string; inventory?: string }) =>
    action !== "break" || (breakable && (inventory === undefined || hasInventory));
  return (
    <details>
      <summary>By hand</summary>
      <div className="row">
        {buttons
          .filter(([, action]) => isOffered(action))
          .map(([label, action]) => (
            <button key={label} type="button" onClick={() => act(action)}>
              {label}
            </button>
          ))}
        {completion === "scheduler" && breakable && (
          <label className="small">
            Schedules fire{" "}
            <select
              value={faults.schedules}
              onChange={({ target }) => act({ action: "break", schedules: selected(target, DELIVERIES, "on time") })}
            >
              {DELIVERIES.map((state) => (
                <option key={state}>{state}</option>
              ))}
            </select>
          </label>
        )}
      </div>
    </details>
  );
}

function Log({ snapshot: { log, playing } }: { readonly snapshot: Snapshot }) {
  return (
    <section aria-labelledby="log">
      <h2 id="log">What happened</h2>
      {log.length === 0 && (
        <p className="soft">Nothing yet. Play a scene: this list says what it does and what heals it.</p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by the keyboard */}
      <div className="log" role="log" tabIndex={0} aria-labelledby="log">
        <ol>
          {playing?.next && (
            <li className="soft">
              <time>next</time>
              <span>{playing.next}</span>
            </li>
          )}
          {log.map(({ id, at, text }) => (
            <li key={id} className={toneOf(text)}>
              <time>{clock(at)}</time>
              <span>{text}</span>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

function toneOf(text: string): string {
  if (text.startsWith("Scene:")) return "title";
  if (text.startsWith("Healed")) return "green";
  return /^Failed|failed:|does not answer/.test(text) ? "red" : "";
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

const container = document.querySelector("#console");
if (container) createRoot(container).render(<Console />);
