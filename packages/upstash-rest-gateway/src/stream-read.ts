import type { Command } from "./command.ts";

/** How many words belong to an option; the others stand alone. https://redis.io/docs/latest/commands/xreadgroup/ */
const OPERANDS: Readonly<Record<string, number>> = { GROUP: 2, COUNT: 1, BLOCK: 1, CLAIM: 1 };

/** What XREAD or XREADGROUP asks for. */
export interface StreamRead {
  /** The operands of each option, by its upper-case name. */
  readonly options: ReadonlyMap<string, Command[number][]>;
  readonly streams: readonly { readonly key: Command[number]; readonly id: string }[];
}

/** Reads the arguments of XREAD and XREADGROUP. It refuses nothing: Redis itself refuses what is malformed. */
export function parseStreamRead([, ...args]: Command): StreamRead {
  const options = new Map<string, Command[number][]>();
  let at = 0;
  for (; at < args.length; at += 1) {
    const name = String(args[at]).toUpperCase();
    if (name === "STREAMS") break;
    const count = OPERANDS[name] ?? 0;
    options.set(name, args.slice(at + 1, at + 1 + count));
    at += count;
  }
  const words = args.slice(at + 1);
  const ids = words.splice(words.length / 2);
  return { options, streams: words.map((key, index) => ({ key, id: String(ids[index]) })) };
}
