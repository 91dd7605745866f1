import { randomUUID } from "node:crypto";
import { styleText } from "node:util";
import { Listr } from "listr2";
import { ulid } from "ulid";
import { z } from "zod";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";
import { redisFailure } from "../lib/redis/commands.ts";
import { COMPLETED_STREAM, DEAD_REFUND_STREAM, REFUND_STREAM } from "../lib/redis/keys.ts";
import { invokeFunction, localEnvironment, readSettings, type Settings } from "../local/settings.ts";
import {
  describeRedisError,
  Failure,
  type Outcome,
  parseOptions,
  printLine,
  runTool,
  table,
  waitFor,
} from "./command.ts";
import { type OrderReply, orderService } from "./order-service.ts";

const USAGE = `npm run demo -- [--orders 5] [--timeout 90]

Places orders at a running service (npm start in another terminal), and shows each until it is refunded.

  --orders <n>   how many orders to place, 1 to 20
  --timeout <n>  how many seconds an order may take from one state to the next, 1 to 600

Reads ORDERS_API_PORT, ORDERS_LAMBDA_PORT, ORDERS_UPSTASH_PORT, UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as
npm start does. An inventory must know the products tea-green, tea-black, coffee, cocoa and rooibos.
`;

const PRODUCTS = ["tea-green", "tea-black", "coffee", "cocoa", "rooibos"];
const LABEL_WIDTH = 13;
const START_HINT = "start it with `npm start` in another terminal, or set";
const API_HINT = `${START_HINT} ORDERS_API_PORT to its port`;
const REDIS_HINT = `${START_HINT} ORDERS_UPSTASH_PORT, or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as for npm start`;
/** The time-out of the refund poller in serverless.yml, with 10 s to spare. */
const POLLER_TIMEOUT_MS = 60_000;
const SHOW_CURSOR = "\u001B[?25h";
const COLOURS: Readonly<Record<string, "yellow" | "cyan" | "green" | "red">> = {
  ...{ pending: "yellow", completed: "cyan", refunded: "green", "dead letter": "red" },
};

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(20).default(5),
  timeout: z.coerce.number().min(1).max(600).default(90),
});

/** Stream entries as Redis sends them: an id, then fields and values in turn. */
const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));

type Report = (state: string, detail?: string) => void;

/** Work that a person follows on a line of its own. */
interface Row {
  readonly label: string;
  readonly pk?: string;
  readonly work: (report: Report) => Promise<void>;
}

await runTool({
  usage: USAGE,
  readOptions: (args) => ({ ...parseOptions(Options, args), settings: readSettings(process.env) }),
  run: runDemo,
});

/** @throws Failure that names every order that did not get to its end, or says why the demo could not start */
async function runDemo({
  orders,
  timeout,
  settings,
}: z.infer<typeof Options> & { settings: Settings }): Promise<Outcome> {
  const startedAt = performance.now();
  const service = orderService(`http://localhost:${settings.ORDERS_API_PORT}`, API_HINT);
  // Only the database's part of what the functions get is used: region and target do not matter.
  const env = RedisEnv.parse(localEnvironment(settings, "", ""));
  const url = env.UPSTASH_REDIS_REST_URL;
  const redis = createRedis(env);
  const [startSeconds] = await redis.time().catch((error: unknown) => {
    throw describeRedisError(url, redisFailure(error), REDIS_HINT);
  });
  const placed = await placeOrders();
  const unknown = ulid();
  const unknownRequest = await redis.xadd(REFUND_STREAM, "*", { pk: unknown });
  // One run of the poller settles every refund request, so it waits for all of them.
  const requested = placed.map(() => Promise.withResolvers<void>());
  const failures = await runRows([
    ...placed.map((reply, at) => ({
      label: `${reply.order.product_id} ×${reply.order.quantity}`,
      pk: reply.order.pk,
      work: (report: Report) => followOrder(reply, report, () => requested[at]?.resolve()),
    })),
    { label: "unknown order", pk: unknown, work: followUnknownOrder },
    { label: "refund poller", work: runPoller },
  ]);

  const announced = (await entriesOf(COMPLETED_STREAM)).filter(({ pk }) => placed.some(({ order }) => order.pk === pk));
  const refused = (await entriesOf(DEAD_REFUND_STREAM)).filter(({ pk }) => pk === unknown);
  printEntries(`${COMPLETED_STREAM}, of these orders`, ["id", "pk", "product_id", "quantity", "status"], announced);
  printEntries(`${DEAD_REFUND_STREAM}, of this run`, ["id", "pk", "dead_reason", "dead_id"], refused);
  if (failures.length > 0) throw new Failure(`Not finished: ${failures.join("; ")}`);
  if (announced.length !== orders) {
    throw new Failure(`${announced.length} of ${orders} orders are on ${COMPLETED_STREAM}`);
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const counts = `${orders} placed, 1 replayed, ${orders} completed, ${orders} refunded, ${refused.length} dead letter`;
  return { output: `\nTotal: ${counts}, in ${seconds} s\n` };

  async function placeOrders(): Promise<OrderReply[]> {
    const keys = Array.from({ length: orders }, () => randomUUID());
    const place = (key: string, at: number) =>
      service.place({ id: PRODUCTS[at % PRODUCTS.length] ?? "", quantity: 1 + at }, key);
    const results: OrderReply[] = [];
    for (const [at, key] of keys.entries()) results.push(await place(key, at));
    const [first = ""] = results.map(({ order }) => order.pk);
    const again = await place(keys[0] ?? "", 0);
    if (!again.replayed || again.order.pk !== first) throw new Failure(`Order ${first} was not replayed`);
    printLine(`Order ${first} posted again with its Idempotency-Key: replayed\n`);
    return results;
  }

  async function followOrder(placed: OrderReply, report: Report, onRequested: () => void): Promise<void> {
    const { pk, created_at, product_id } = placed.order;
    async function reach(status: "completed" | "refunded", last: OrderReply): Promise<void> {
      let current = last.order.status;
      const time = await service.follow(last, {
        find(order) {
          current = order.status;
          return order[`${status}_at`];
        },
        timeoutMs: timeout * 1_000,
        timeoutMessage: () => `order ${pk} is still ${current}, not ${status}, after ${timeout} s`,
      });
      report(status, `${((Date.parse(time) - Date.parse(created_at)) / 1_000).toFixed(1)} s`);
    }
    report("pending", "0.0 s");
    await reach("completed", placed)
      .then(() => redis.xadd(REFUND_STREAM, "*", { pk, product_id }))
      .finally(onRequested);
    // Nothing says when a refund is due, so it is read as often as anything else.
    await reach("refunded", { order: placed.order, retryAfterMs: undefined });
  }

  async function followUnknownOrder(report: Report): Promise<void> {
    report("refund requested");
    const letter = await waitFor(
      async () => (await entriesOf(DEAD_REFUND_STREAM)).find(({ dead_id }) => dead_id === unknownRequest),
      timeout * 1_000,
      () => `refund request ${unknownRequest}, for an unknown order, is no dead letter after ${timeout} s`,
    );
    report("dead letter", letter.dead_reason);
  }

  /** Invokes it now. If that is not possible, its own timer runs it within 60 s. */
  async function runPoller(report: Report): Promise<void> {
    await Promise.all(requested.map(({ promise }) => promise));
    const signal = AbortSignal.timeout(POLLER_TIMEOUT_MS);
    const reply = await invokeFunction(settings, "orders-dev-drainRefunds", { signal }).catch(() => undefined);
    const hasRun = reply?.ok && !reply.headers.has("x-amz-function-error");
    report(hasRun ? "ran" : "could not be invoked, runs at the next full minute");
  }

  /** The entries of a stream that were written since the demo started, by the clock of Redis. */
  async function entriesOf(stream: string): Promise<Record<string, string>[]> {
    const entries = Entries.parse(await redis.xrange(stream, `${startSeconds}000`, "+"));
    return entries.map(([id, words]) => {
      const pairs = words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ""] as const] : []));
      return { ...Object.fromEntries(pairs), id };
    });
  }
}

/**
 * Runs all rows at once. A terminal gets a line for each row, which grows in place; a file or a pipe a line for each state.
 * @returns why rows failed; one that fails does not stop the others
 */
async function runRows(rows: readonly Row[]): Promise<string[]> {
  const list = new Listr(
    rows.map(({ label, pk, work }) => ({
      title: label.padEnd(LABEL_WIDTH),
      task: (_, task) =>
        work((state, detail = "") => {
          if (process.stdout.isTTY) {
            task.title = `${task.title}  ${styleText(COLOURS[state] ?? "reset", state)} ${detail}`;
          } else printLine(`${pk ? `${pk}  ` : ""}${task.title}  ${state} ${detail}`.trimEnd());
        }),
    })),
    {
      concurrent: true,
      exitOnError: false,
      collectErrors: true,
      registerSignalListeners: false,
      rendererOptions: { showErrorMessage: false },
      fallbackRenderer: "silent",
    },
  );
  // Ctrl-C ends the process while the list still hides the cursor.
  process.once("exit", () => process.stdout.isTTY && process.stdout.write(SHOW_CURSOR));
  await list.run();
  return (list.errors ?? []).map(({ message }) => message);
}

function printEntries(what: string, columns: readonly string[], entries: readonly Record<string, string>[]): void {
  const rows = entries.map((entry) => columns.map((column) => entry[column] ?? ""));
  printLine(`\nOn ${what}:\n\n${table(columns, rows)}`);
}
