import autocannon from "autocannon";
import { type Load, LoadOptions } from "./load.ts";

/** Started by load.ts: drives what the first message says, answers with what it found, and ends with its caller. */
process.once("disconnect", () => process.exit());
process.once("message", (message) => {
  const options = LoadOptions.parse(message);
  const latenciesMs: number[] = [];
  const running = autocannon(options, (error, result) => {
    if (error) throw error;
    const { requests, errors, timeouts, non2xx } = result;
    const load: Load = { perSecond: requests.average, failed: errors + timeouts + non2xx, latenciesMs };
    process.send?.(load, () => process.disconnect());
  });
  // autocannon's own histogram holds whole milliseconds.
  running.on("response", (_client, _status, _bytes, latencyMs) => latenciesMs.push(latencyMs));
});
