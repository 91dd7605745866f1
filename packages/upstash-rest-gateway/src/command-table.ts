import { z } from "zod";

/** What the server says about one command or subcommand: https://redis.io/docs/latest/commands/command/ */
export interface CommandTraits {
  readonly flags: ReadonlySet<string>;
  readonly categories: ReadonlySet<string>;
  /** Where its keys are among its words, the name being word 0. No first key is 0; a last key below 0 counts from the end. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
}

/** Traits by lower-case name; a subcommand is `config|get`. */
export type CommandTable = ReadonlyMap<string, CommandTraits>;

const SUBCOMMANDS_FIELD = 9;

const entry = z
  .tuple([z.string(), z.number(), z.array(z.string()), z.number(), z.number(), z.number(), z.array(z.string())])
  .rest(z.unknown());

/** The table of a `COMMAND` reply in RESP2. Throws a ZodError when the reply is not one. */
export function readCommandTable(reply: unknown): CommandTable {
  const table = new Map<string, CommandTraits>();
  addEntries(reply, table);
  return table;
}

function addEntries(reply: unknown, table: Map<string, CommandTraits>): void {
  for (const fields of z.array(entry).parse(reply)) {
    const [name, , flags, firstKey, lastKey, keyStep, categories] = fields;
    const traits = { flags: new Set(flags), categories: new Set(categories), firstKey, lastKey, keyStep };
    table.set(name.toLowerCase(), traits);
    addEntries(fields[SUBCOMMANDS_FIELD] ?? [], table);
  }
}
