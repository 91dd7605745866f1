import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";

export const PROJECT = join(import.meta.dirname, "../..");
const CREATE = "lib/orders/create-order.lua";
const SWEEP = "lib/orders/sweep-orders.ts";
const DRAIN = "lib/refunds/drain-refunds.ts";
const SETTLE = "lib/refunds/settle-refunds.lua";
const KEEP = "lib/refunds/keep-dead-letters.lua";

/** Other text in a source file. */
type Mutation = readonly [file: string, find: RegExp, replacement: string];

/** What keeps orders correct, and how a bundle is built without it. */
const UNDONE = {
  // As one would write it without a script: read, decide, write, announce, each a command of its own.
  atomicity: [
    [
      "functions/complete-order.ts",
      /await complete\(dependencies.*;/,
      `const { redis } = dependencies;
        const { findOrder } = await import("../lib/orders/find-order.ts");
        const { orderKey } = await import("../lib/redis/keys.ts");
        const { pk } = DueOrder.parse(event);
        const order = await findOrder(redis, pk);
        if (order.status !== "pending") return;
        const changes = { status: "completed", completed_at: new Date().toISOString() };
        await redis.hset(orderKey(pk), changes);
        await redis.xadd("order_completed", "*", { ...order, ...changes });
        await redis.zrem("orders:pending", pk);`,
    ],
  ],
  "pending-check": [
    // As consumers are often written: do the work, then acknowledge it in a request of its own.
    [DRAIN, /countMetric\("RefundsDeadLettered", kept\.length\);/, "$& this.kept = kept.map(({ id }) => id);"],
    [
      DRAIN,
      /for \(const \{ apply \} of steps\) apply\(replies\);/,
      `$&
        if (drain.kept?.length > 0) {
          await redis.xack(REFUND_STREAM, REFUND_GROUP, drain.kept);
          await redis.xdel(REFUND_STREAM, drain.kept);
        }
        drain.kept = undefined;`,
    ],
    [KEEP, /redis\.call\('XACK'[^)]*\)/, ""],
    [KEEP, /redis\.call\('XDEL'[^)]*\)/, ""],
  ],
  "effect-first": [
    [SETTLE, /if is_unsettled\(id\) then/, "if is_unsettled(id) and redis.call('XDEL', stream, id) == 1 then"],
    [
      KEEP,
      /(?=local first_id, fields = first)/,
      "redis.call('XACK', stream, group, id) redis.call('XDEL', stream, id) ",
    ],
  ],
  // A refused request whose dead letter cannot be kept stays pending, as every request that fails.
  "leave-refused": [[DRAIN, /if \(!this\.#readsUnheld\)(?= this\.#toAcknowledge)/, "if (false)"]],
  "idempotency-key": [[CREATE, /if idempotency_key then(?=\s+local held)/, "if false then"]],
  claim: [
    ["lib/orders/idempotency-key.ts", /throw new ServiceError\("idempotency_key_in_use"\)/, "return undefined"],
    [CREATE, /(?<=is_claimed = )held == claim/, "held and string.sub(held, 1, 6) == 'claim:'"],
  ],
  // Of a request that Redis refuses to store, the claim goes with it.
  "keep-claim": [[CREATE, /(?<=if idempotency_key) and not is_claimed(?= then)/, ""]],
  // A run announces all that is overdue, however far a consumer group is behind.
  "catch-up-pause": [[SWEEP, /(?<=this\.#isPaused = )groups\.length > 0/, "false"]],
  sweep: [[SWEEP, /run\.completeDue\(\)/, "Promise.resolve()"]],
  reclaim: [["lib/refunds/read-refund-requests.lua", /\n {2}read_left_pending\(\)/, ""]],
} satisfies Record<string, readonly Mutation[]>;

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
      `if tonumber(string.match(fields[4], '%d+$$')) % 500 == 0 then
          redis.call('XADD', completed_stream, '*', unpack(fields))
        end
        `,
    ],
  ],
  "completed-early": [[SWEEP, /(?<=order\.due <= )now/, "now + 4_000"]],
  // So that runs do not overlap. A run that ends early keeps the lock: no other one replaces it.
  "sweep-locked": [
    [
      "functions/sweep-orders.ts",
      /await sweep\((.*)\);/,
      `if ((await redis.set("sweep:lock", "1", { nx: true })) !== "OK") return;
        await sweep($1);
        await redis.del("sweep:lock");`,
    ],
  ],
  "refund-counted-twice": [[DRAIN, /(?<=countMetric\("RefundsApplied", )refunded\.length/, "2 * $&"]],
} satisfies Record<string, readonly Mutation[]>;

/** A sweep run that lasts a little longer than a minute of the suite (`MINUTE_MS` in run.ts), as it does on AWS. */
const SCALED = {
  "short-runs": [["lib/orders/completion-delay.ts", /(?<=SWEEP_RUN_MS = )65_000/, "6_500"]],
} satisfies Record<string, readonly Mutation[]>;

/** Every mutant of the service, by name. */
export const MUTANTS = { ...UNDONE, ...DEFECTS, ...SCALED } satisfies Record<string, readonly Mutation[]>;

export const PROTECTIONS = keysOf(UNDONE);
export const DEFECT_NAMES = keysOf(DEFECTS);

/** Builds bundles of mutants: one plugin for all of them, because only one may load a file. */
export function mutate(names: readonly (keyof typeof MUTANTS)[]): Plugin {
  const mutations = names.flatMap((name): readonly Mutation[] => MUTANTS[name]);
  return {
    name: "mutate",
    setup(build) {
      build.onLoad({ filter: /\/(functions|lib)\/.*\.(ts|lua)$/ }, async ({ path }) => {
        const matching = mutations.filter(([file]) => join(PROJECT, file) === path);
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

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): [Key, ...Key[]] {
  return Object.keys(record) as [Key, ...Key[]];
}
