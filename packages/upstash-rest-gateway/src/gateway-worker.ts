import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { startUpstashGateway } from "./gateway.ts";

/** What gateway-thread.ts passes on. */
const Options = z.object({ redisUrl: z.string(), port: z.number(), token: z.string(), readOnlyToken: z.string() });

const { url } = await startUpstashGateway({
  ...Options.parse(workerData),
  log: (line) => parentPort?.postMessage({ log: line }),
});
parentPort?.postMessage({ url });
