import { once } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { z } from "zod";
import type { Faults } from "./faults.ts";
import type { UpstashGateway } from "./gateway.ts";
import { parseFaults, parseOptions, type UpstashGatewayOptions } from "./options.ts";

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "gateway-worker.ts" : "gateway-worker.js", import.meta.url);

const Message = z.union([z.object({ url: z.string() }), z.object({ log: z.string() })]);

/**
 * Runs `startUpstashGateway` on a thread of its own, so that it does not share a core with its clients. The thread ends with this
 * process. Rejects as `startUpstashGateway` does.
 */
export async function startGatewayThread(options: UpstashGatewayOptions): Promise<UpstashGateway> {
  const { log, ...workerData } = parseOptions(options);
  const worker = new Worker(WORKER, { workerData });
  const started = Promise.withResolvers<string>();
  worker.on("message", (value: unknown) => {
    const message = Message.parse(value);
    if ("log" in message) log(message.log);
    else started.resolve(message.url);
  });
  worker.once("error", started.reject);
  const url = await started.promise;
  // From now on nothing handles an error of the thread, so it ends the process, as an error of this thread does.
  worker.off("error", started.reject);

  async function setFaults(faults: Faults): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ faults: parseFaults(faults), done: port2 }, [port2]);
    await once(port1, "message");
    port1.close();
  }

  return {
    url,
    setFaults,
    stop: async () => void (await worker.terminate()),
  };
}
