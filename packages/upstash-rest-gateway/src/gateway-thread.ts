import { Worker } from "node:worker_threads";
import { z } from "zod";
import type { UpstashGateway, UpstashGatewayOptions } from "./gateway.ts";

const Message = z.union([z.object({ url: z.string() }), z.object({ log: z.string() })]);

/**
 * Runs `startUpstashGateway` on a thread of its own, so that it does not share a core with the API. The thread ends with this
 * process. Rejects as `startUpstashGateway` does.
 */
export async function startGatewayThread({
  log,
  ...options
}: Required<Omit<UpstashGatewayOptions, "limits">>): Promise<UpstashGateway> {
  const worker = new Worker(new URL(import.meta.url.replace("gateway-thread", "gateway-worker")), {
    workerData: options,
  });
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
  return { url, stop: async () => void (await worker.terminate()) };
}
