import { MessagePort, parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { startUpstashGateway } from "./gateway.ts";
import { parseFaults, parseOptions } from "./options.ts";

/** Of `setFaults` of gateway-thread.ts, which waits for a message on the port. */
const Message = z.object({ faults: z.unknown(), done: z.instanceof(MessagePort) });

const { url, setFaults } = await startUpstashGateway({
  ...parseOptions(workerData),
  log: (line) => parentPort?.postMessage({ log: line }),
});
parentPort?.on("message", async (value: unknown) => {
  const { faults, done } = Message.parse(value);
  await setFaults(parseFaults(faults));
  done.postMessage("done");
});
parentPort?.postMessage({ url });
