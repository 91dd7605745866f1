import { randomUUID } from "node:crypto";
import { styleText } from "node:util";
import { Listr, type ListrTask } from "listr2";
import { ulid } from "ulid";
import { z } from "zod";
import type { Order } from "../lib/orders/order.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";
import { redisFailure } from "../lib/redis/commands.ts";
import { COMPLETED_STREAM, DEAD_REFUND_STREAM, REFUND_STREAM } from "../lib/redis/keys.ts";
import { localEnvironment, readSettings, type Settings } from "../local/settings.ts";
import { describeRedisError, EXIT, Failure, parseOptions, runTool, waitFor } from "./command.ts";
import { invokeRefundPoller, orderService } from "./order-service.ts";

const USAGE = `npm run demo -- [--orders 5] [--timeout 90] [--stage dev]

Places orders at a running service (npm start in another terminal), and shows each until it is refunded.

  --orders <n>    how many orders to place, 1 to 20
  --timeout <n>   how many seconds an order may take from one state to the next, 1 to 600
  --stage <name>  the stage that npm start was given

Reads ORDERS_API_PORT, ORDERS_LAMBDA_PORT, ORDERS_UPSTASH_PORT, UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as
npm start does. An inventory must know the products tea-green, tea-black, coffee, cocoa and rooibos.
`;

const PRODUCTS = ["tea-green", "tea-black", "coffee", "cocoa", "rooibos"];
const LABEL_WIDTH = 13;
const START_HINT = "start it with `npm start` in another terminal, or set ORDERS_API_PORT to its port";
const REDIS_HINT = "set ORDERS_UPSTASH_PORT, or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as for npm start";
const SHOW_CURSOR = "\u001B[?25h";
const COLOURS = { pending: "yellow", completed: "cyan", refunded: "green", "dead letter": "red" } as const;

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(20).default(5),
  timeout: z.coerce.number().min(1).max(600).default(90),
  stage: z.string().min(1).default("dev"),
});
type Options = z.infer<typeof Options>;

/** Stream entries as Redis sends them: an id, then fields and values in turn. */
const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));
type Entry = Readonly<Record<string, string>>;

type Report = (state: string, detail?: string) => void;

/** Work that a person follows on a line of its own. */
interface Row {
  readonly label: string;
  readonly pk?: string;
  readonly work: (report: Report) => Promise<void>;
}

await runTool({
  usage: USAGE,
  readOptions(args) {
    const value = { type: "string" } as const;
    const options = parseOptions(Options, args, { orders: value, timeout: value, stage: value });
    return { ...options, settings: readSettings(process.env) };
  },
  run: runDemo,
});

/** @throws Failure that names every order that did not get to its end, or says why the demo could not start */
async function runDemo({ orders, timeout, stage, settings }: Options & { readonly settings: Settings }) {
  const startedAt = performance.now();
  const hints = { hint: START_HINT, tokenHint: START_HINT };
  const service = orderService(`http://localhost:${settings.ORDERS_API_PORT}`, hints);
  // Only the database's part of what the functions get is used: region and target do not matter.
  const env = RedisEnv.parse(localEnvironment(settings, "", ""));
  const redis = createRedis(env);
  const [completed, dead] = [entriesOf(COMPLETED_STREAM), entriesOf(DEAD_REFUND_STREAM)];

  await service.assertRunning();
  try {
    await Promise.all([completed.start(), dead.start()]);
  } catch (error) {
    throw describeRedisError(env.UPSTASH_REDIS_REST_URL, redisFailure(error), REDIS_HINT);
  }
  const placed = await placeOrders();
  const unknown = ulid();
  const unknownRequest = await redis.xadd(REFUND_STREAM, "*", { pk: unknown });
  // One run of the poller settles every refund request, so it waits for all of them.
  const requested = placed.map(() => Promise.withResolvers<void>());
  const failures = await runRows([
    ...placed.map((order, at) => ({
      label: `${order.product_id} ×${order.quantity}`,
      pk: order.pk,
      work: (report: Report) => followOrder(order, report, () => requested[at]?.resolve()),
    })),
    { label: "unknown order", pk: unknown, work: followUnknownOrder },
    { label: "refund poller", work: runPoller },
  ]);

  const announced = (await completed.read()).filter(({ pk }) => placed.some((order) => order.pk === pk));
  const refused = (await dead.read()).filter(({ pk }) => pk === unknown);
  printLine(`\nOn ${COMPLETED_STREAM}, of these orders:\n`);
  printTable(["id", "pk", "product_id", "quantity", "status"], announced);
  printLine(`\nOn ${DEAD_REFUND_STREAM}, of this run:\n`);
  printTable(["id", "pk", "dead_reason", "dead_id"], refused);
  if (failures.length > 0) throw new Failure(`Not finished: ${failures.join("; ")}`);
  if (announced.length !== orders)
    throw new Failure(`${announced.length} of ${orders} orders are on ${COMPLETED_STREAM}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const counts = `${orders} placed, 1 replayed, ${orders} completed, ${orders} refunded, ${refused.length} dead letter`;
  return { output: `\nTotal: ${counts}, in ${seconds} s\n`, exitCode: EXIT.ok };

  async function placeOrders(): Promise<Order[]> {
    const keys = Array.from({ length: orders }, () => randomUUID());
    const place = (key: string, at: number) =>
      service.place({ id: PRODUCTS[at % PRODUCTS.length] ?? "", quantity: 1 + at }, key);
    const results: Order[] = [];
    for (const [at, key] of keys.entries()) results.push((await place(key, at)).order);
    const [first = ""] = results.map(({ pk }) => pk);
    const again = await place(keys[0] ?? "", 0);
    if (!again.replayed || again.order.pk !== first) throw new Failure(`Order ${first} was not replayed`);
    printLine(`Order ${first} posted again with its Idempotency-Key: replayed\n`);
    return results;
  }

  async function followOrder({ pk, created_at, ...order }: Order, report: Report, onRequested: () => void) {
    async function reach(status: "completed" | "refunded"): Promise<void> {
      let current = order.status;
      const time = await poll(
        async () => {
          const found = await service.find(pk);
          current = found.status;
          return found[`${status}_at`];
        },
        () => `order ${pk} is still ${current}, not ${status},`,
      );
      report(status, `${((Date.parse(time) - Date.parse(created_at)) / 1_000).toFixed(1)} s`);
    }
    report("pending", "0.0 s");
    await reach("completed")
      .then(() => redis.xadd(REFUND_STREAM, "*", { pk, product_id: order.product_id }))
      .finally(onRequested);
    await reach("refunded");
  }

  async function followUnknownOrder(report: Report): Promise<void> {
    report("refund requested");
    const letter = await poll(
      async () => (await dead.read()).find(({ dead_id }) => dead_id === unknownRequest),
      () => `refund request ${unknownRequest}, for an unknown order, is no dead letter`,
    );
    report("dead letter", letter.dead_reason);
  }

  async function runPoller(report: Report): Promise<void> {
    await Promise.all(requested.map(({ promise }) => promise));
    report(await invokeRefundPoller(`http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`, `orders-${stage}-drainRefunds`));
  }

  function poll<Found>(read: () => Promise<Found | undefined>, problem: () => string): Promise<Found> {
    return waitFor(read, timeout * 1_000, (seconds) => `${problem()} after ${seconds} s`);
  }

  /** The entries of a stream that are written from `start` on. */
  function entriesOf(stream: string) {
    let last = "0-0";
    return {
      async start() {
        last = parseEntries(await redis.xrevrange(stream, "+", "-", 1))[0]?.id ?? last;
      },
      read: async () => parseEntries(await redis.xrange(stream, `(${last}`, "+")),
    };
  }
}

/**
 * Runs all rows at once. A terminal gets a line for each row, which grows in place; a file or a pipe a line for each state.
 * @returns why rows failed; one that fails does not stop the others
 */
async function runRows(rows: readonly Row[]): Promise<string[]> {
  const failures: string[] = [];
  const tasks = rows.map(({ label, pk, work }): ListrTask => {
    const title = label.padEnd(LABEL_WIDTH);
    return {
      title,
      task: async (_, task) => {
        const report: Report = (state, detail = "") => {
          if (!process.stdout.isTTY) return printLine(`${pk ? `${pk}  ` : ""}${title}  ${state} ${detail}`.trimEnd());
          const colour = Object.entries(COLOURS).find(([name]) => name === state)?.[1] ?? "reset";
          task.title = `${task.title}  ${styleText(colour, state)} ${detail}`;
        };
        await work(report).catch((error) => {
          failures.push(error instanceof Error ? error.message : String(error));
          throw error;
        });
      },
    };
  });
  // Ctrl-C ends the process while the list still hides the cursor.
  process.once("exit", () => process.stdout.isTTY && process.stdout.write(SHOW_CURSOR));
  await new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    rendererOptions: { showErrorMessage: false },
    fallbackRenderer: "silent",
  }).run();
  return failures;
}

function printTable(columns: readonly string[], entries: readonly Entry[]): void {
  const rows = [columns, ...entries.map((entry) => columns.map((column) => entry[column] ?? ""))];
  const widths = columns.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)));
  for (const cells of rows)
    printLine(
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

function parseEntries(reply: unknown): Entry[] {
  return Entries.parse(reply).map(([id, words]) => {
    const pairs = words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ""] as const] : []));
    return { ...Object.fromEntries(pairs), id };
  });
}

function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}
