import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const lib = (path: string): string => here(`../../../lib/${path}`);

/** A protection is undone by other text in a script, or by another module in place of its own. */
type Undoing =
  | { readonly file: string; readonly find: RegExp; readonly replacement: string }
  | { readonly file: string; readonly module: string };

/** What keeps orders safe, and how a bundle is built without it. */
const UNDOINGS = {
  atomicity: [{ file: here("../../../functions/complete-order.ts"), module: here("complete-in-steps.ts") }],
  "pending-check": [
    { file: lib("refunds/drain-refunds.ts"), module: here("acknowledge-last.ts") },
    { file: lib("refunds/refund-or-dead-letter.lua"), find: /if is_pending\(id\) then/, replacement: "do" },
    { file: lib("refunds/refund-or-dead-letter.lua"), find: /redis\.call\('XACK'[^)]*\)/, replacement: "" },
    { file: lib("refunds/refund-or-dead-letter.lua"), find: /redis\.call\('XDEL'[^)]*\)/, replacement: "" },
  ],
  "effect-first": [
    {
      file: lib("refunds/refund-or-dead-letter.lua"),
      find: /if is_pending\(id\) then/,
      replacement: "if redis.call('XACK', stream, group, id) == 1 then",
    },
  ],
  "idempotency-key": [
    {
      file: lib("orders/create-order.lua"),
      find: /if idempotency_key then(?=\s+local first)/,
      replacement: "if false then",
    },
  ],
  claim: [
    {
      file: lib("orders/idempotency-key.ts"),
      find: /throw new ServiceError\("idempotency_key_in_use"\)/,
      replacement: "return undefined",
    },
    {
      file: lib("orders/create-order.lua"),
      find: /if claimed_pk and claimed_pk ~= pk then/,
      replacement: "if false then",
    },
  ],
  sweep: [{ file: lib("orders/sweep-orders.ts"), module: here("no-sweep.ts") }],
  reclaim: [
    { file: lib("refunds/read-refund-requests.lua"), find: /for _ = 1, MAX_CLAIMS do/, replacement: "for _ = 1, 0 do" },
  ],
} satisfies Record<string, readonly Undoing[]>;

export type Protection = keyof typeof UNDOINGS;

export const PROTECTIONS = Object.keys(UNDOINGS) as Protection[];

/** Builds bundles without a protection, to see that the suite misses it. */
export function undo(protection: Protection): Plugin {
  const undoings: readonly Undoing[] = UNDOINGS[protection];
  return {
    name: `undo-${protection}`,
    setup(build) {
      build.onLoad({ filter: /\/(functions|lib)\/.*\.(ts|lua)$/ }, async ({ path }) => {
        const matching = undoings.filter(({ file }) => file === path);
        return matching.length === 0 ? undefined : { contents: await undone(path, matching), ...kindOf(path) };
      });
    },
  };
}

async function undone(path: string, undoings: readonly Undoing[]): Promise<string> {
  let contents = await readFile(path, "utf8");
  for (const undoing of undoings) {
    if ("module" in undoing) return `export * from ${JSON.stringify(undoing.module)};`;
    if (!undoing.find.test(contents)) throw new Error(`${path} has changed: ${undoing.find} is not in it any more`);
    contents = contents.replace(undoing.find, undoing.replacement);
  }
  return contents;
}

function kindOf(path: string) {
  return { loader: path.endsWith(".lua") ? ("text" as const) : ("ts" as const) };
}
