import { setTimeout as wait } from "node:timers/promises";
import { ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import type { Outcome } from "../lambda-host/instance.ts";
import type { Faults, SeededRandom } from "./faults.ts";
import type { Journal } from "./history.ts";
import type { Call } from "./proxy.ts";

/** Only some of the orders are delivered early, or the ordinary delivery would hardly be tried. */
const EARLY_SHARE = 0.3;
const MAX_DELAY_MS = 12_000;

const COPIES = { twice: 2, five_times: 5 };
const WEIGHTS = { late: 1, twice: 1, five_times: 1, never: 1 };

interface DeliveriesOptions {
  readonly chance: SeededRandom;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly invoke: (event: unknown) => Promise<Outcome>;
}

/** Between EventBridge Scheduler and Lambda: what is delivered may be delivered late, several times, early or never. */
export interface Deliveries {
  /** Delivers an event that Scheduler has fired. */
  deliver(event: unknown): Promise<Outcome>;
  /** For a CreateSchedule: how its event is delivered before the caller has its reply, if that is to happen. */
  early(call: Call): (() => Promise<void>) | undefined;
  /** Lets everything that is late go now, and resolves when all has been handled. */
  flush(): Promise<void>;
}

export function createDeliveries({ chance, faults, journal, invoke }: DeliveriesOptions): Deliveries {
  const late = new Set<Promise<unknown>>();
  const hurry = new AbortController();

  async function hand(event: unknown, how: string): Promise<Outcome> {
    const content = JSON.stringify(event);
    const outcome = await invoke(event);
    journal.noteAll(content, `delivered to completeOrder ${how}: ${outcome.ok ? "done" : outcome.errorMessage}`);
    return outcome;
  }

  async function deliverLater(event: unknown, delayMs: number): Promise<void> {
    await wait(delayMs, undefined, { signal: hurry.signal }).catch(() => undefined);
    await hand(event, "late");
  }

  return {
    async deliver(event) {
      const content = JSON.stringify(event);
      const what = `delivery to order ${journal.orderIn(content)}`;
      const kind = faults.strike("delivery", what, WEIGHTS);
      if (!kind) return hand(event, "in time");
      journal.noteAll(content, `delivery.${kind}`);
      if (kind === "late" || kind === "never") {
        if (kind === "late") {
          const delivery = deliverLater(event, chance.between(`delay of ${what}`, 500, MAX_DELAY_MS));
          late.add(delivery);
          void delivery.finally(() => late.delete(delivery));
        }
        faults.count(`delivery.${kind}`);
        return { ok: true, reply: null };
      }
      const copies = Array.from({ length: COPIES[kind] }, () => hand(event, kind));
      faults.count(`delivery.${kind}`);
      return Promise.any(copies);
    },
    early({ path, body }) {
      const kind = faults.strike(
        "delivery",
        `early delivery to order ${journal.orderIn(path)}`,
        { early: 1 },
        EARLY_SHARE,
      );
      if (!kind) return undefined;
      return async () => {
        await hand(inputOf(body), "before createOrder had its reply");
        faults.count("delivery.early");
      };
    },
    async flush() {
      hurry.abort();
      while (late.size > 0) await Promise.all(late);
    },
  };
}

/** The event that a CreateSchedule would have delivered. */
function inputOf(createSchedule: string): unknown {
  const { Target } = JSON.parse(createSchedule) as { Target: { Input: string } };
  return JSON.parse(Target.Input);
}

/** More than any order's 5 seconds and its clock's skew, in ms. */
const MAX_WAIT_MS = 15_000;
const PAUSE_MS = 200;

/**
 * Waits until every schedule has fired: each deletes itself then.
 * @throws Error when some are left long after they were due
 */
export async function untilAllFired(schedulerUrl: string, group: string): Promise<void> {
  const credentials = { accessKeyId: "chaos", secretAccessKey: "chaos" };
  const client = new SchedulerClient({ endpoint: schedulerUrl, region: "eu-central-1", credentials });
  try {
    for (let waitedMs = 0; waitedMs < MAX_WAIT_MS; waitedMs += PAUSE_MS) {
      const { Schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName: group, MaxResults: 1 }));
      if (Schedules.length === 0) return;
      await wait(PAUSE_MS);
    }
  } finally {
    client.destroy();
  }
  throw new Error("The Scheduler stand-in holds schedules that are long overdue");
}
