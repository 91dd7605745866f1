import { once, setMaxListeners } from "node:events";
import { createServer } from "node:http";
import { createHandler } from "./api.ts";
import { createClock } from "./clock.ts";
import { createDeadLetters, createDelivery } from "./delivery.ts";
import { createFates, type Faults } from "./faults.ts";
import { createLambdaRetries } from "./lambda-retries.ts";
import { createTargetResolver } from "./schedule.ts";
import { createSchedules } from "./schedules.ts";
import { createTargetClient } from "./targets.ts";
import { backoff, createBackgroundTasks, createTimers } from "./timers.ts";

const LOOPBACK = "127.0.0.1";
const DEFAULT_CONCURRENCY = 10;

/** The account in AWS's own examples. */
const DEFAULT_ACCOUNT = "123456789012";

export interface SchedulerServer {
  readonly url: string;
  /** Moves the server's clock forward by `ms`, for tests: what is due by then fires now, and retries do not wait. */
  advance(ms: number): void;
  /** Replaces the faults, from the next request on: `setFaults({})` ends them. */
  setFaults(faults: Faults): void;
  /** Forgets every schedule, ends what is under way and closes the port. A second call waits for the first. */
  stop(): Promise<void>;
}

export interface SchedulerServerOptions {
  /** 0, the default, is any free port. */
  readonly port?: number;
  /** The URL of a Lambda Invoke API, such as `http://127.0.0.1:3002` of serverless-offline. Without it, no functions are invoked. */
  readonly lambdaUrl?: string | undefined;
  /** HTTP targets: the URL to which events are posted, by target ARN. */
  readonly targets?: Readonly<Record<string, string>>;
  /** The schedule groups that exist besides `default`. */
  readonly groups?: readonly string[];
  /** The account of every schedule and group: 12 digits. Default 123456789012. */
  readonly accountId?: string | undefined;
  /** What clients must survive, for tests. Default: nothing. `setFaults` changes it. */
  readonly faults?: Faults | undefined;
  /** How late a schedule fires, in ms, asked each time: AWS may fire a minute late. Default 0. */
  readonly delayMs?: () => number;
  /** How often an event is delivered, asked when it fires: AWS delivers at least once. 0 loses it. Default 1. */
  readonly copies?: () => number;
  /** The wait in ms after attempt number `attempt` (from 1) failed. Default: exponential with jitter, 1 s to 60 s. */
  readonly retryDelayMs?: (attempt: number) => number;
  /** The number of events that are delivered at once. Default 10. */
  readonly concurrency?: number;
  /** Receives one line per failure. Default: standard error. */
  readonly log?: (line: string) => void;
}

/**
 * Starts EventBridge Scheduler on loopback. Schedules fire at their second. Everything is in memory and ends with the
 * process.
 *
 * @throws Error of `listen`, such as EADDRINUSE.
 */
export async function startScheduler(options: SchedulerServerOptions): Promise<SchedulerServer> {
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const retryDelayMs = options.retryDelayMs ?? backoff;
  const stopping = new AbortController();
  const { signal } = stopping;
  setMaxListeners(0, signal); // Thousands of invocations and retries listen to it; that is no leak.

  const accountId = options.accountId ?? DEFAULT_ACCOUNT;
  if (!/^\d{12}$/.test(accountId)) throw new TypeError(`accountId must have 12 digits: ${accountId}`);

  const fates = createFates(options.faults);
  const clock = createClock();
  const tasks = createBackgroundTasks(log);
  const { lambdaUrl, targets = {}, concurrency = DEFAULT_CONCURRENCY } = options;
  const client = createTargetClient({ lambdaUrl, concurrency, signal });
  const deadLetters = createDeadLetters();
  const retries = createLambdaRetries({ client, clock, tasks, retryDelayMs, log, signal });
  const timers = createTimers({
    clock,
    deliver: createDelivery({ client, clock, retries, deadLetters, retryDelayMs, log, signal }),
    tasks,
    delayMs: options.delayMs ?? (() => 0),
    copies: options.copies ?? (() => 1),
    completed(schedule) {
      if (schedule.definition.ActionAfterCompletion === "DELETE") remove(schedule);
    },
  });
  const resolveTarget = createTargetResolver(targets, lambdaUrl !== undefined);
  const { operations, remove } = createSchedules(options.groups ?? [], accountId, resolveTarget, timers, clock);

  const server = createServer(createHandler({ operations, deadLetters, throwFault: fates.next, log }));
  server.listen(options.port ?? 0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The Scheduler listens on no port");

  async function end(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    stopping.abort();
    timers.close();
    await Promise.all([closed, tasks.settled()]);
    client.close();
  }

  let ended: Promise<void> | undefined;
  function stop(): Promise<void> {
    ended ??= end();
    return ended;
  }

  return { url: `http://${LOOPBACK}:${address.port}`, advance: clock.advance, setFaults: fates.set, stop };
}
