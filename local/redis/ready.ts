import type { ChildProcess } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "redis";
import type { Output } from "./output.ts";
import { PortTaken } from "./port.ts";

/** Redis is up within milliseconds, but a busy machine or a large append-only file takes longer. */
const READY_MS = 60_000;
const POLL_MS = 20;

interface Starting {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  readonly output: Output;
  readonly port: number;
  readonly url: string;
}

/**
 * Waits until this very process answers PING.
 *
 * @throws PortTaken when another process has the port; Error with the last output when Redis exits or stays silent.
 */
export async function untilReady({ child, exited, output, port, url }: Starting): Promise<void> {
  const gone = new AbortController();
  void exited.then(() => gone.abort());
  const over = AbortSignal.any([gone.signal, AbortSignal.timeout(READY_MS)]);
  let lastRefusal: unknown;
  while (!over.aborted) {
    try {
      if ((await answeringPid(url, over)) === child.pid) return;
    } catch (error) {
      lastRefusal = error;
    }
    await Promise.race([exited, wait(POLL_MS)]);
  }
  const said = output.lastLines();
  if (/address already in use/i.test(said)) throw new PortTaken(`Redis cannot listen on port ${port}: it is taken`);
  const fault = gone.signal.aborted ? "exited before it answered" : `did not answer within ${READY_MS / 1000} s`;
  throw new Error(`Redis ${fault} on port ${port}. Its last output:\n${said}`, { cause: lastRefusal });
}

/** The process id of whoever answers: a Redis that holds the port already would answer PING in place of ours. */
async function answeringPid(url: string, over: AbortSignal): Promise<number> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  // Without a listener node-redis throws its errors at the process; connect() rejects with the same error.
  client.on("error", () => undefined);
  // Whoever holds the port may accept the connection and never say a word.
  const hangUp = () => client.isOpen && client.destroy();
  over.addEventListener("abort", hangUp);
  try {
    await client.connect();
    await client.ping();
    return Number(/^process_id:(\d+)/m.exec(await client.info("server"))?.[1]);
  } finally {
    over.removeEventListener("abort", hangUp);
    hangUp();
  }
}
