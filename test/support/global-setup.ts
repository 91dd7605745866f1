import { redisBinary } from "../../local/redis/binary.ts";

/** Finds or installs Redis once, before the workers start: they would all do it at the same time. */
export default async function setup(): Promise<void> {
  await redisBinary((line) => process.stderr.write(`${line}\n`));
}
