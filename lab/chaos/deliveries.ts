import { setTimeout as wait } from "node:timers/promises";
import { ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { z } from "zod";
import { waitFor } from "../../tools/command.ts";
import { SCHEDULE_GROUP } from "../lambda-host/environment.ts";
import type { Outcome } from "../lambda-host/outcome.ts";
import type { Context } from "./context.ts";
import type { Call } from "./proxy.ts";

/** Only some of the orders are delivered early, or the ordinary delivery would hardly be tried. */
const EARLY_SHARE = 0.3;
const MAX_DELAY_MS = 12_000;

/** More than a busy machine needs for the deliveries that are due. */
const MAX_WAIT_MS = 15_000;

/** How often each kind is delivered at once. */
const COPIES = { late: 0, twice: 2, five_times: 5, never: 0 };

const CreateSchedule = z.object({ Target: z.object({ Input: z.string() }) });

export type Deliveries = ReturnType<typeof createDeliveries>;

/** Between EventBridge Scheduler and Lambda: what is delivered may be delivered late, several times, early or never. */
export function createDeliveries({ chance, faults, journal }: Context, invoke: (event: unknown) => Promise<Outcome>) {
  const late = new Set<Promise<unknown>>();
  const hurry = new AbortController();

  async function hand(event: unknown, how: string): Promise<Outcome> {
    const outcome = await invoke(event);
    const end = outcome.ok ? "done" : outcome.errorMessage;
    journal.noteAll(JSON.stringify(event), `delivered to completeOrder ${how}: ${end}`);
    return outcome;
  }

  return {
    /** Delivers an event that Scheduler has fired. */
    async deliver(event: unknown): Promise<Outcome> {
      const content = JSON.stringify(event);
      const what = `delivery to order ${journal.orderIn(content)}`;
      const kind = faults.strike("delivery", what, COPIES);
      if (!kind) return hand(event, "in time");
      journal.noteAll(content, `delivery.${kind}`);
      faults.count(`delivery.${kind}`);
      if (kind === "late") {
        const delayMs = chance.between(`delay of ${what}`, 500, MAX_DELAY_MS);
        const delay = wait(delayMs, undefined, { signal: hurry.signal }).catch(() => undefined);
        const delivery = delay.then(() => hand(event, "late")).finally(() => late.delete(delivery));
        late.add(delivery);
      }
      const copies = Array.from({ length: COPIES[kind] }, () => hand(event, kind));
      return copies.length > 0 ? Promise.any(copies) : { ok: true, reply: null };
    },
    /** Delivers the event of a CreateSchedule before the caller has its reply, if the draw says so. */
    async deliverEarly({ path, body }: Call): Promise<void> {
      const what = `early delivery to order ${journal.orderIn(path)}`;
      if (!faults.strike("delivery", what, { early: 1 }, {}, EARLY_SHARE)) return;
      const { Target } = CreateSchedule.parse(JSON.parse(body));
      await hand(JSON.parse(Target.Input), "before createOrder had its reply");
      faults.count("delivery.early");
    },
    /** Delivers everything that is late now, and resolves when all of it is handled. */
    async flush(): Promise<void> {
      hurry.abort();
      while (late.size > 0) await Promise.all(late);
    },
  };
}

/**
 * Waits until every schedule has fired: each deletes itself then.
 * @throws Failure when some are left long after they were due
 */
export async function untilAllFired(endpoint: string): Promise<void> {
  const credentials = { accessKeyId: "chaos", secretAccessKey: "chaos" };
  const client = new SchedulerClient({ endpoint, region: "eu-central-1", credentials });
  async function allFired(): Promise<true | undefined> {
    const list = new ListSchedulesCommand({ GroupName: SCHEDULE_GROUP, MaxResults: 1 });
    return (await client.send(list)).Schedules?.length === 0 || undefined;
  }
  await waitFor(allFired, MAX_WAIT_MS, () => "The Scheduler stand-in holds schedules that are long overdue");
  client.destroy();
}
