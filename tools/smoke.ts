import { randomUUID } from "node:crypto";
import { styleText } from "node:util";
import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { ulid } from "ulid";
import { z } from "zod";
import { COMPLETED_STREAM, DEAD_LETTER_STREAM } from "../lib/redis/keys.ts";
import { reasonOf } from "../local/error-reason.ts";
import { readSettings, type Settings } from "../local/settings.ts";
import { Failure, type Outcome, parseOptions, printLine, runTool, table, waitFor } from "./command.ts";
import { localRefunds } from "./local-refunds.ts";
import { type OrderReply, orderService } from "./order-service.ts";

const USAGE = `npm run smoke -- <url>
npm run smoke -- --stage dev [--region eu-central-1]
npm run demo                        # npm run smoke -- --local --orders 5 --product tea-green

Places orders at a running service, sends the first again, and shows each order until it is completed.

  <url>            the address of the API, such as http://localhost:3000
  --stage <name>   looks the address up: the output HttpApiUrl of the CloudFormation stack orders-<name>
  --region <name>  where that stack is (AWS_REGION, or else eu-central-1)
  --local          the service of npm start, which reads the same environment variables. Also refunds the orders, and
                   requests a refund of an unknown order, which becomes a dead letter
  --orders <n>     how many orders to place, 1 to 20 (1)
  --product <id>   what to order (smoke-test): with an inventory, one of its products
  --timeout <n>    seconds from one state to the next (150): AWS may fire a schedule 60 s late, and the sweep takes over
                   after 60 s more

SMOKE_AUTHORIZATION is sent as the Authorization header. Ends with 0 when all of that happened, and with 1 when not.
`;

const START_HINT = "start it with `npm start` in another terminal, or set ORDERS_API_PORT to its port";

const COLOURS = {
  ...({ stack: "reset", poller: "reset", placed: "yellow", replayed: "yellow", retrying: "red" } as const),
  ...({ completed: "cyan", refunded: "green", dead: "magenta" } as const),
};
const STATE_WIDTH = 9;

const Options = z
  .object({
    positionals: z.array(z.url({ protocol: /^https?$/, error: "the address must be http:// or https://" })).max(1),
    stage: z.string().min(1).optional(),
    region: z
      .string()
      .min(1)
      .default(process.env.AWS_REGION || "eu-central-1"),
    local: z.boolean().default(false),
    orders: z.coerce.number().int().min(1).max(20).default(1),
    product: z.string().min(1).default("smoke-test"),
    timeout: z.coerce.number().positive().default(150),
  })
  .refine(({ positionals: [url], stage, local }) => [url, stage, local || undefined].filter(Boolean).length === 1, {
    path: ["stage"],
    error: "give the address of the API, --stage or --local",
  });
type Options = z.infer<typeof Options> & { readonly settings: Settings | undefined };

await runTool({
  usage: USAGE,
  readOptions(args): Options {
    const options = parseOptions(Options, args);
    return { ...options, settings: options.local ? readSettings(process.env) : undefined };
  },
  run: smoke,
});

/** @throws Failure that names every order that did not get to its end, or says what else is wrong */
async function smoke({
  positionals: [url],
  settings,
  orders,
  product,
  timeout,
  ...options
}: Options): Promise<Outcome> {
  const startedAt = performance.now();
  const service = settings
    ? orderService(`http://localhost:${settings.ORDERS_API_PORT}`, START_HINT)
    : orderService(
        (url ?? (await deployedUrl(options))).replace(/\/+$/, ""),
        "check the address, and that the service is deployed or started",
        "set SMOKE_AUTHORIZATION to an Authorization header that the API accepts",
        process.env.SMOKE_AUTHORIZATION,
      );
  const refunds = settings && (await localRefunds(settings));
  const failures: string[] = [];

  const placed = await placeOrders();
  const completed = await reached("completed", placed);
  const total = [`${orders} placed`, "1 replayed", `${completed.length} completed`];
  if (refunds) total.push(...(await refund(refunds, completed)));
  if (failures.length > 0) throw new Failure(failures.join("; "));
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  return { output: `\nTotal: ${total.join(", ")}, in ${seconds} s\n` };

  async function placeOrders(): Promise<OrderReply[]> {
    const keys = Array.from({ length: orders }, () => randomUUID());
    const replies: OrderReply[] = [];
    for (const [at, key] of keys.entries()) {
      const sentAt = performance.now();
      const reply = await service.place({ id: product, quantity: 1 + at }, key);
      show("placed", reply.order.pk, `${product} ×${1 + at}, in ${Math.round(performance.now() - sentAt)} ms`);
      replies.push(reply);
    }
    const [first = ""] = replies.map(({ order }) => order.pk);
    const again = await service.place({ id: product, quantity: 1 }, keys[0] ?? "");
    if (!again.replayed || again.order.pk !== first) throw new Failure(`Order ${first} was not replayed`);
    show("replayed", first, "sent again with its Idempotency-Key");
    return replies;
  }

  /** What `work` gives; undefined when it fails, which does not stop the rest. */
  async function collect<Result>(work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error.message);
      return undefined;
    }
  }

  /** The orders that reach this state in time. */
  async function reached(status: "completed" | "refunded", replies: readonly OrderReply[]): Promise<OrderReply[]> {
    const results = await Promise.all(replies.map((reply) => collect(reach(status, reply))));
    return results.filter((reply) => reply !== undefined);
  }

  async function reach(status: "completed" | "refunded", reply: OrderReply): Promise<OrderReply> {
    const { pk, created_at } = reply.order;
    let current = reply.order.status;
    const time = await service.follow(reply, {
      find(order) {
        current = order.status;
        return order[`${status}_at`];
      },
      timeoutMs: timeout * 1_000,
      timeoutMessage: () => `Order ${pk} is still ${current}, not ${status}, after ${timeout} s`,
      // It proves nothing: a replica may not have the order yet, and the API may throttle.
      onFailure: ({ message }) => show("retrying", pk, message),
    });
    const seconds = (Date.parse(time) - Date.parse(created_at)) / 1_000;
    show(status, pk, `${seconds.toFixed(1)} s after it was placed`);
    return reply;
  }

  /** @returns what happened, for the total */
  async function refund(
    { request, runPoller, entriesOf }: Awaited<ReturnType<typeof localRefunds>>,
    replies: readonly OrderReply[],
  ): Promise<string[]> {
    const pks = new Set(replies.map(({ order }) => order.pk));
    for (const pk of pks) await request(pk);
    const unknown = ulid();
    const unknownRequest = await request(unknown);
    show("poller", "", (await runPoller()) ? "ran" : "could not be invoked, runs at the next full minute");
    // Nothing says when a refund is due, so it is read as often as anything else.
    const refunded = await reached(
      "refunded",
      replies.map(({ order }) => ({ order, retryAfterMs: undefined })),
    );
    const dead = await collect(
      waitFor(
        async () => (await entriesOf(DEAD_LETTER_STREAM)).find(({ dead_id }) => dead_id === unknownRequest),
        timeout * 1_000,
        () => `Refund request ${unknownRequest}, for an unknown order, is no dead letter after ${timeout} s`,
      ),
    );
    const letters = dead ? [dead] : [];
    for (const { dead_reason = "" } of letters) show("dead", unknown, dead_reason);

    const announced = (await entriesOf(COMPLETED_STREAM)).filter(({ pk = "" }) => pks.has(pk));
    printEntries(`${COMPLETED_STREAM}, of these orders`, ["id", "pk", "product_id", "quantity", "status"], announced);
    printEntries(`${DEAD_LETTER_STREAM}, of this run`, ["id", "pk", "dead_reason", "dead_id"], letters);
    if (announced.length !== pks.size) {
      failures.push(`${COMPLETED_STREAM} has ${announced.length} entries of ${pks.size} completed orders`);
    }
    return [`${refunded.length} refunded`, `${letters.length} dead letter`];
  }
}

/**
 * The address of a deployed API: osls adds the output HttpApiUrl to the stack of a service with an HTTP API.
 * @throws Failure when there is no such stack, or it cannot be read
 */
async function deployedUrl({ stage, region }: Pick<Options, "stage" | "region">): Promise<string> {
  const name = `orders-${stage}`;
  const deploy = `deploy it with npx serverless deploy --stage ${stage} --region ${region}, or give the address`;
  const command = new DescribeStacksCommand({ StackName: name });
  const { Stacks } = await new CloudFormationClient({ region }).send(command).catch((cause: unknown) => {
    throw new Failure(`Cannot find stack ${name} in ${region} (${reasonOf(cause)}): ${deploy}`, { cause });
  });
  const url = Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === "HttpApiUrl")?.OutputValue;
  if (url === undefined) throw new Failure(`Stack ${name} in ${region} has no output HttpApiUrl: ${deploy}`);
  show("stack", name, `in ${region}: ${url}`);
  return url;
}

/** One line of the timeline. */
function show(state: keyof typeof COLOURS, subject: string, detail: string): void {
  const word = state.padEnd(STATE_WIDTH);
  printLine(
    [process.stdout.isTTY ? styleText(COLOURS[state], word) : word, subject, detail].filter(Boolean).join("  "),
  );
}

function printEntries(what: string, columns: readonly string[], entries: readonly Record<string, string>[]): void {
  const rows = entries.map((entry) => columns.map((column) => entry[column] ?? ""));
  printLine(`\nOn ${what}:\n\n${table(columns, rows)}`);
}
