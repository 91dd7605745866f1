import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";

const here = (path: string): string => join(import.meta.dirname, path);
const lib = (path: string): string => here(`../../../lib/${path}`);

const COMPLETE_ORDER = here("../../../functions/complete-order.ts");
const CREATE_ORDER = here("../../../functions/create-order.ts");
const CREATE = lib("orders/create-order.lua");
const REFUND = lib("refunds/refund-or-dead-letter.lua");
const IS_PENDING = /if is_pending\(id\) then/;

/** Other text in a source file, or another module in its place. */
type Change =
  | { readonly file: string; readonly find: RegExp; readonly replacement: string }
  | { readonly file: string; readonly module: string };

/** What keeps orders correct, and how a bundle is built without it. */
const UNDONE = {
  atomicity: [{ file: COMPLETE_ORDER, module: here("complete-in-steps.ts") }],
  "pending-check": [
    { file: lib("refunds/drain-refunds.ts"), module: here("acknowledge-last.ts") },
    { file: REFUND, find: IS_PENDING, replacement: "do" },
    { file: REFUND, find: /redis\.call\('XACK'[^)]*\)/, replacement: "" },
    { file: REFUND, find: /redis\.call\('XDEL'[^)]*\)/, replacement: "" },
  ],
  "effect-first": [
    { file: REFUND, find: IS_PENDING, replacement: "if redis.call('XACK', stream, group, id) == 1 then" },
  ],
  "idempotency-key": [
    { file: CREATE, find: /if idempotency_key then(?=\s+local first)/, replacement: "if false then" },
  ],
  claim: [
    {
      file: lib("orders/idempotency-key.ts"),
      find: /throw new ServiceError\("idempotency_key_in_use"\)/,
      replacement: "return undefined",
    },
    { file: CREATE, find: /if claimed_pk and claimed_pk ~= pk then/, replacement: "if false then" },
  ],
  sweep: [{ file: lib("orders/sweep-orders.ts"), find: /let listing = list\(0\);/, replacement: "return; $&" }],
  reclaim: [
    { file: lib("refunds/read-refund-requests.lua"), find: /for _ = 1, MAX_CLAIMS do/, replacement: "for _ = 1, 0 do" },
  ],
} satisfies Record<string, readonly Change[]>;

/** Bugs that the suite must find. */
const DEFECTS = {
  "create-fails": [
    {
      file: CREATE_ORDER,
      find: /(?<=async function createOrder\(event: ApiEvent\) \{)/,
      replacement: 'throw new Error("defect");',
    },
  ],
  "order-dropped": [
    {
      file: lib("orders/place-order.ts"),
      find: /countMetric\("OrdersCreated"\);/,
      replacement: `$&
        if (Number(request.id.slice(request.id.lastIndexOf('-') + 1)) % 100 === 0) {
          await redis.del(orderKey(pk));
          await redis.zrem(PENDING_KEY, pk);
        }`,
    },
  ],
  "announced-twice": [
    {
      file: lib("orders/complete-orders.lua"),
      find: /(?=local stored = redis\.pcall\('HSET')/,
      replacement: `if tonumber(string.match(values[2], '%d+$$')) % 500 == 0 then
          redis.call('XADD', completed_stream, '*', unpack(completed_entry(values)))
        end
        `,
    },
  ],
  "refund-counted-twice": [
    {
      file: lib("refunds/refund-requests.ts"),
      find: /(?<=countMetric\("RefundsApplied", )refunded\.length/,
      replacement: "2 * $&",
    },
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
        const matching = changes.filter(({ file }) => file === path);
        const loader = path.endsWith(".lua") ? "text" : "ts";
        return matching.length === 0 ? undefined : { contents: await changed(path, matching), loader };
      });
    },
  };
}

async function changed(path: string, changes: readonly Change[]): Promise<string> {
  let contents = await readFile(path, "utf8");
  for (const one of changes) {
    if ("module" in one) return `export * from ${JSON.stringify(one.module)};`;
    if (!one.find.test(contents)) throw new Error(`${path} has changed: ${one.find} is not in it any more`);
    contents = contents.replace(one.find, one.replacement);
  }
  return contents;
}

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): [Key, ...Key[]] {
  return Object.keys(record) as [Key, ...Key[]];
}
