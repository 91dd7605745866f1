import { sendPipeline } from "./send-pipeline.ts";

/** What Redis itself takes: pipelines sent one after the other by bare `fetch`, their replies parsed and nothing more. */
export async function handler({ pipelines }: { pipelines: unknown[][] }) {
  for (const commands of pipelines) await sendPipeline(commands);
  return null;
}
