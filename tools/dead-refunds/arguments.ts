import { parseArgs } from "node:util";

export const USAGE = `npm run refunds:dead -- list
npm run refunds:dead -- replay <id>… | replay --all
npm run refunds:dead -- drop <id>… [--yes]

Shows the refund requests that were refused, puts them back to be settled anew, or deletes them.

  list      every dead letter, oldest first: its id, why and when it was refused, the id of the first request
  replay    puts dead letters back on refund_order: do it once the cause is mended
  drop      deletes dead letters, once it has shown them and was told yes; --yes does not ask

Reads UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN; without them it is the database of npm start, at the port
ORDERS_UPSTASH_PORT (8079). Ends with 0; with 1 when something failed or an id is not there; with 2 on wrong usage.
`;

export type Task =
  | { readonly name: "help" | "list" | "replay-all" }
  | { readonly name: "replay"; readonly ids: readonly string[] }
  | { readonly name: "drop"; readonly ids: readonly string[]; readonly asks: boolean };

/** A mistake in how the command was called, said in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @throws UsageError */
export function readTask(args: readonly string[]): Task {
  const { values, positionals } = parsed(args);
  const [command, ...ids] = positionals;
  if (values.help) return { name: "help" };
  if (values.yes && command !== "drop") throw new UsageError("--yes is for drop");
  if (values.all && command !== "replay") throw new UsageError("--all is for replay");
  if (command === "list" && ids.length === 0) return { name: "list" };
  if (command === "list") throw new UsageError("list takes no ids");
  if (command === "replay" && values.all && ids.length === 0) return { name: "replay-all" };
  if (command === "replay" && values.all) throw new UsageError("replay takes ids or --all, not both");
  if (command === "replay") return { name: "replay", ids: deadLetterIds(ids) };
  if (command === "drop") return { name: "drop", ids: deadLetterIds(ids), asks: !values.yes };
  throw new UsageError(command === undefined ? "What to do? list, replay or drop" : `There is no command ${command}`);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { all: { type: "boolean" }, yes: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function deadLetterIds(ids: readonly string[]): string[] {
  const wrong = ids.find((id) => !isStreamId(id));
  if (wrong !== undefined) throw new UsageError(`${JSON.stringify(wrong)} is no id of a dead letter: list shows them`);
  if (ids.length === 0) throw new UsageError("Which dead letters? list shows their ids");
  return [...new Set(ids)];
}

/** Whether it is an id as Redis writes it: two unsigned 64-bit numbers, without zeros before them. */
function isStreamId(id: string): boolean {
  return /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(id) && id.split("-").every((part) => BigInt(part) < 2n ** 64n);
}
