import { once, setMaxListeners } from "node:events";
import { createServer } from "node:http";
import { createAsyncQueue } from "./async-queue.ts";
import { backoff } from "./clock.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createDelivery } from "./delivery.ts";
import { createHandler } from "./handler.ts";
import { createLambdaClient } from "./invoke.ts";
import { createOperations } from "./operations.ts";
import { createStore } from "./store.ts";
import { createTasks } from "./tasks.ts";
import { createTimetable } from "./timetable.ts";

const LOOPBACK = "127.0.0.1";

export interface SchedulerServer {
  readonly url: string;
  /** Forgets every schedule, ends what is under way and closes the port. A second call waits for the first. */
  stop(): Promise<void>;
}

export interface SchedulerServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Where Lambda's Invoke is served, such as `http://127.0.0.1:3002`. */
  readonly lambdaUrl: string;
  /** The schedule groups that exist besides `default`. */
  readonly groups?: readonly string[];
  /** Fires up to so many ms late at random: AWS promises the minute only. Default 0. */
  readonly maxDelayMs?: number;
  /** Delivers each event twice: AWS promises at least once. Default false. */
  readonly deliverTwice?: boolean;
  /** The wait in ms after attempt number `attempt` (from 1) failed. Default: exponential with jitter, 1 s to 60 s. */
  readonly retryDelayMs?: (attempt: number) => number;
  /** Invocations under way at once. Default 10. */
  readonly concurrency?: number;
  /** Gets one line for each failure worth a look. Default: standard error. */
  readonly log?: (line: string) => void;
  /** From 0 to under 1, for repeatable runs. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * EventBridge Scheduler for one machine: the calls of its one-time schedules, on loopback, fired at their second at a
 * Lambda Invoke endpoint. Everything is in memory and ends with the process.
 *
 * @throws Error of `listen`, such as EADDRINUSE.
 */
export async function startScheduler(options: SchedulerServerOptions): Promise<SchedulerServer> {
  const random = options.random ?? Math.random;
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const retryDelayMs = options.retryDelayMs ?? ((attempt: number) => backoff(attempt, random));
  const stopping = new AbortController();
  const { signal } = stopping;
  setMaxListeners(0, signal); // one for each invocation and retry: thousands, and no leak

  const tasks = createTasks(log);
  const lambda = createLambdaClient({ url: options.lambdaUrl, concurrency: options.concurrency ?? 10, signal });
  const deadLetters = createDeadLetters();
  const queue = createAsyncQueue({ lambda, tasks, retryDelayMs, log, signal });
  const store = createStore(options.groups ?? []);
  const timetable = createTimetable({
    deliver: createDelivery({ lambda, queue, deadLetters, retryDelayMs, log, signal }),
    tasks,
    maxDelayMs: options.maxDelayMs ?? 0,
    deliverTwice: options.deliverTwice ?? false,
    random,
    completed(schedule) {
      if (schedule.definition.ActionAfterCompletion === "DELETE") store.remove(schedule);
    },
  });

  const server = createServer(
    createHandler({ operations: createOperations(store, timetable), store, deadLetters, log }),
  );
  server.listen(options.port ?? 0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the Scheduler stand-in listens on no port");

  async function end(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    stopping.abort();
    timetable.close();
    await Promise.all([closed, tasks.settled()]);
    lambda.close();
  }

  let ended: Promise<void> | undefined;
  function stop(): Promise<void> {
    ended ??= end();
    return ended;
  }

  return { url: `http://${LOOPBACK}:${address.port}`, stop };
}
