import { readFile } from "node:fs/promises";

/** A sample of `events/`, by the name of its function. */
export async function sampleEvent(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`../../events/${name}.json`, import.meta.url), "utf8"));
}
