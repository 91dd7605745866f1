import { fork } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";

/** In a process of its own: beside the servers in this one it would measure how long it waits for their turn to end. */
const PROCESS = new URL("load-process.ts", import.meta.url);

export const LoadOptions = z.object({
  url: z.url(),
  connections: z.int().positive(),
  method: z.enum(["GET", "POST"]),
  headers: z.record(z.string(), z.string()).exactOptional(),
  body: z.string().exactOptional(),
  /** In seconds. */
  duration: z.int().positive().exactOptional(),
  /** So many requests, however long they take. */
  amount: z.int().positive().exactOptional(),
});
export type LoadOptions = z.infer<typeof LoadOptions>;

export const Load = z.object({
  /** Replies a second. */
  perSecond: z.number(),
  /** Requests without a reply, or with one that is not 2xx. */
  failed: z.int(),
  /** Of each reply, as its client saw it: what it waited for the reply before does not count. */
  latenciesMs: z.array(z.number()),
});
export type Load = z.infer<typeof Load>;

/**
 * Sends requests, on each connection the next one when the last was answered.
 * @throws Error when a request failed: refusals are fast
 */
export async function drive(options: LoadOptions): Promise<Load> {
  const child = fork(PROCESS, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const ended = once(child, "exit");
  const answered = once(child, "message");
  child.send(options);
  const [answer] = await Promise.race([answered, ended.then(() => [undefined])]);
  if (answer === undefined) throw new Error(`The load on ${options.url} ended without a result`);
  await ended;
  const load = Load.parse(answer);
  if (load.failed > 0) throw new Error(`${load.failed} requests to ${options.url} failed`);
  return load;
}
