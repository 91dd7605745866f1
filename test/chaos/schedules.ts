import { setTimeout as wait } from "node:timers/promises";
import { ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";

/** More than any order's 5 seconds and its clock's skew, in ms. */
const LONGEST_MS = 15_000;
const PAUSE_MS = 200;

/**
 * Waits until every schedule has fired: each deletes itself then.
 * @throws Error when some are left long after they were due
 */
export async function untilAllFired(schedulerUrl: string, group: string): Promise<void> {
  const credentials = { accessKeyId: "chaos", secretAccessKey: "chaos" };
  const client = new SchedulerClient({ endpoint: schedulerUrl, region: "eu-central-1", credentials });
  try {
    for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
      const { Schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName: group, MaxResults: 1 }));
      if (Schedules.length === 0) return;
      await wait(PAUSE_MS);
    }
  } finally {
    client.destroy();
  }
  throw new Error("The Scheduler stand-in holds schedules that are long overdue");
}
