import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";

const PROJECT = join(import.meta.dirname, "../../..");
const CREATE = "lib/orders/create-order.lua";
const REFUND = "lib/refunds/refund-or-dead-letter.lua";
const IS_PENDING = /if is_pending\(id\) then/;
const WHOLE_FILE = /.+/s;

/** Other text in a source file. */
type Change = readonly [file: string, find: RegExp, replacement: string];

/** What keeps orders correct, and how a bundle is built without it. */
const UNDONE = {
  atomicity: [["functions/complete-order.ts", WHOLE_FILE, module("complete-in-steps.ts")]],
  "pending-check": [
    ["lib/refunds/drain-refunds.ts", WHOLE_FILE, module("acknowledge-last.ts")],
    [REFUND, IS_PENDING, "do"],
    [REFUND, /redis\.call\('XACK'[^)]*\)/, ""],
    [REFUND, /redis\.call\('XDEL'[^)]*\)/, ""],
  ],
  "effect-first": [[REFUND, IS_PENDING, "if redis.call('XACK', stream, group, id) == 1 then"]],
  "idempotency-key": [[CREATE, /if idempotency_key then(?=\s+local first)/, "if false then"]],
  claim: [
    ["lib/orders/idempotency-key.ts", /throw new ServiceError\("idempotency_key_in_use"\)/, "return undefined"],
    [CREATE, /if claimed_pk and claimed_pk ~= pk then/, "if false then"],
  ],
  sweep: [["lib/orders/sweep-orders.ts", /let listing = list\(0\);/, "return; $&"]],
  reclaim: [["lib/refunds/read-refund-requests.lua", /for _ = 1, MAX_CLAIMS do/, "for _ = 1, 0 do"]],
} satisfies Record<string, readonly Change[]>;

/** Bugs that the suite must find. */
const DEFECTS = {
  "create-fails": [
    [
      "functions/create-order.ts",
      /(?<=async function createOrder\(event: ApiEvent\) \{)/,
      'throw new Error("defect");',
    ],
  ],
  "order-dropped": [
    [
      "lib/orders/place-order.ts",
      /countMetric\("OrdersCreated"\);/,
      `$&
        if (Number(request.id.slice(request.id.lastIndexOf('-') + 1)) % 100 === 0) {
          await redis.del(orderKey(pk));
          await redis.zrem(PENDING_KEY, pk);
        }`,
    ],
  ],
  "announced-twice": [
    [
      "lib/orders/complete-orders.lua",
      /(?=local stored = redis\.pcall\('HSET')/,
      `if tonumber(string.match(values[2], '%d+$$')) % 500 == 0 then
          redis.call('XADD', completed_stream, '*', unpack(completed_entry(values)))
        end
        `,
    ],
  ],
  "refund-counted-twice": [
    ["lib/refunds/refund-requests.ts", /(?<=countMetric\("RefundsApplied", )refunded\.length/, "2 * $&"],
  ],
} satisfies Record<string, readonly Change[]>;

export const PROTECTIONS = keysOf(UNDONE);
export const DEFECT_NAMES = keysOf(DEFECTS);

/** Builds bundles without a protection, or with a defect, to see that the suite finds it. */
export function change(name: keyof typeof UNDONE | keyof typeof DEFECTS): Plugin {
  const changes: readonly Change[] = { ...UNDONE, ...DEFECTS }[name];
  return {
    name: `change-${name}`,
    setup(build) {
      build.onLoad({ filter: /\/(functions|lib)\/.*\.(ts|lua)$/ }, async ({ path }) => {
        const matching = changes.filter(([file]) => join(PROJECT, file) === path);
        if (matching.length === 0) return undefined;
        let contents = await readFile(path, "utf8");
        for (const [, find, replacement] of matching) {
          if (!find.test(contents)) throw new Error(`${path} has changed: ${find} is not in it any more`);
          contents = contents.replace(find, replacement);
        }
        return { contents, loader: path.endsWith(".lua") ? "text" : "ts" };
      });
    },
  };
}

/** The text of a module that has what another one of this folder has. */
function module(file: string): string {
  return `export * from ${JSON.stringify(join(import.meta.dirname, file))};`;
}

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): [Key, ...Key[]] {
  return Object.keys(record) as [Key, ...Key[]];
}
