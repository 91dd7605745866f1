import { createHash } from "node:crypto";
import type { Command } from "./command.ts";
import type { Database } from "./database.ts";
import { pendingPreamble } from "./pending.ts";
import type { Outcome } from "./reply.ts";

/** https://upstash.com/docs/redis/features/key-locking: the script locks its KEYS, not the whole database. Redis refuses it. */
const KEY_LOCKING = "allow-key-locking";

/** A function has its flags in a table, in which a comma may come last. */
const FUNCTION_FLAG = /(["'])allow-key-locking\1\s*,?/g;

/** The commands whose first argument is a script. */
const WITH_SOURCE = new Set(["eval", "eval_ro"]);

/** The commands whose first argument is the hash of a script. */
const WITH_HASH = new Set(["evalsha", "evalsha_ro"]);

/** A command as Redis gets it, and the way back of its outcome. */
interface Translation {
  readonly command: Command;
  readonly toClient: (outcome: Outcome) => Outcome;
}

/**
 * A database that runs the scripts of Upstash's users: the flag `allow-key-locking` is removed from scripts and functions, and
 * XREADGROUP in a script is refused above `pendingPerConsumer` entries. Clients know a script by the hash of the text that they
 * sent, Redis by the hash of what it got, so EVALSHA, SCRIPT LOAD and SCRIPT EXISTS translate it. Only hashes are kept here, not
 * scripts: after SCRIPT FLUSH or a restart, Redis replies with NOSCRIPT as usual.
 */
export function withUpstashScripts(database: Database, pendingPerConsumer: number): Database {
  /** By the hash that clients know, the one that Redis knows, where they differ. */
  const hashes = new Map<string, string>();

  const hashOf = (word: Command[number]) => hashes.get(String(word).toLowerCase()) ?? word;

  function sourceOf(source: Command[number]): Command[number] {
    const adapted = change(source, (text) => {
      const [shebang = ""] = /^#!.*\n?/.exec(text) ?? [];
      const body = text.slice(shebang.length);
      return withoutKeyLocking(shebang) + pendingPreamble(pendingPerConsumer, body) + body;
    });
    if (adapted !== source) hashes.set(sha1(source), sha1(adapted));
    return adapted;
  }

  function translate(command: Command): Translation {
    const [name, first = "", ...rest] = command;
    const kind = name.toLowerCase();
    const subcommand = `${kind} ${String(first).toLowerCase()}`;
    if (WITH_SOURCE.has(kind)) return { command: [name, sourceOf(first), ...rest], toClient: same };
    if (WITH_HASH.has(kind)) return { command: [name, hashOf(first), ...rest], toClient: same };
    if (subcommand === "script exists") return { command: [name, first, ...rest.map(hashOf)], toClient: same };
    if (subcommand === "script load") {
      const [source = "", ...others] = rest;
      const hash = Buffer.from(sha1(source));
      return {
        command: [name, first, sourceOf(source), ...others],
        toClient: (outcome) => ("error" in outcome ? outcome : { result: hash }),
      };
    }
    if (subcommand === "function load") {
      const words = rest.map((word) => change(word, (text) => text.replaceAll(FUNCTION_FLAG, "")));
      return { command: [name, first, ...words], toClient: same };
    }
    return { command, toClient: same };
  }

  return {
    ...database,
    async run(command) {
      const { command: sent, toClient } = translate(command);
      return toClient(await database.run(sent));
    },
    async transact(commands) {
      const translations = commands.map(translate);
      const outcomes = await database.transact(translations.map(({ command }) => command));
      return outcomes.map((outcome, index) => translations[index]?.toClient(outcome) ?? outcome);
    },
  };
}

/** `#!lua flags=no-writes,allow-key-locking` without that flag, and without `flags=` if no flag is left. */
function withoutKeyLocking(shebang: string): string {
  return shebang.replace(/\s+flags=(\S*)/g, (word, list: string) => {
    const flags = list.split(",");
    if (!flags.includes(KEY_LOCKING)) return word;
    const others = flags.filter((flag) => flag !== KEY_LOCKING);
    return others.length > 0 ? ` flags=${others.join(",")}` : "";
  });
}

/** Keeps every byte that `edit` does not change, and returns the very word if it changes nothing. */
function change(word: Command[number], edit: (text: string) => string): Command[number] {
  const text = Buffer.from(word).toString("latin1"); // a character per byte
  const edited = edit(text);
  return edited === text ? word : Buffer.from(edited, "latin1");
}

function sha1(word: Command[number]): string {
  return createHash("sha1").update(word).digest("hex");
}

function same(outcome: Outcome): Outcome {
  return outcome;
}
