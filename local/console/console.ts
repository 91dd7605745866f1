import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { json as readJson } from "node:stream/consumers";
import { build } from "esbuild";
import pLimit from "p-limit";
import { ulid } from "ulid";
import { z } from "zod";
import { dueTime, SWEEP_GRACE_MS } from "../../lib/orders/completion-delay.ts";
import { Order, OrderPk } from "../../lib/orders/order.ts";
import {
  COMPLETED_STREAM,
  DEAD_REFUND_STREAM,
  orderKey,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";
import { refuseForeignPages } from "../loopback-guard.ts";
import { SCHEDULE_GROUP } from "../settings.ts";
import { DELIVERIES, type Faults, NO_FAULTS } from "./faults.ts";
import type { Invocation } from "./output.ts";

/** How many orders and stream entries a page shows. */
const SHOWN = 100;

/** How many orders are remembered, so that one that is on no stream any more is still shown. */
const REMEMBERED = 300;

const POLL_MS = 500;

/** Upstash bills each command. */
const POLL_UPSTASH_MS = 5_000;
const TIMEOUT_MS = 1_500;

const BURST = 100;
const BURST_AT_ONCE = 4;

const PAGE = join(import.meta.dirname, "page.tsx");
const STYLES = join(import.meta.dirname, "page.css");
const REPLAY = new URL("../../lib/refunds/replay-dead-letters.lua", import.meta.url);

/** Everything comes from this server, and React sets no inline style or script. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Order service console</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/page.css">
  </head>
  <body>
    <div id="console"></div>
    <script src="/page.js"></script>
  </body>
</html>
`;

export interface ConsoleOptions {
  readonly port: number;
  readonly apiUrl: string;
  readonly schedulerUrl: string;
  readonly redis: { readonly url: string; readonly token: string };
  /** Invokes a function, by its name in serverless.yml. */
  readonly invoke: (functionName: string) => Promise<Response>;
  readonly invocations: () => readonly Invocation[];
  readonly faults: Faults;
  /** The process of the private Redis. Without one, the database is the user's: nothing is broken or dropped there. */
  readonly redisPid: number | undefined;
  readonly isUpstash: boolean;
  readonly hasInventory: boolean;
}

export interface ConsoleServer {
  readonly url: string;
  stop(): void;
}

/** Names and values in turn, as Redis replies. */
const Fields = z.array(z.union([z.string(), z.number(), z.null()])).transform((flat) => {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[String(flat[index])] = String(flat[index + 1] ?? "");
  return fields;
});
const Entries = z
  .array(z.tuple([z.string(), Fields]))
  .transform((entries) => entries.map(([id, fields]) => ({ id, fields })));
export type Entry = z.infer<typeof Entries>[number];

const Group = z.object({ name: z.string(), pending: z.coerce.number(), lag: z.coerce.number() });
const Groups = z.array(Fields.transform((fields) => Group.parse(fields)));

/** Of XPENDING: a request that a poller has read and not acknowledged. */
const Unsettled = z
  .tuple([z.string(), z.string(), z.number(), z.number()])
  .transform(([id, consumer, idleMs, deliveries]) => ({ id, consumer, idleMs, deliveries }));

/** An order, when it is due in ms since the epoch, and the ids of its stream entries. */
export type ShownOrder = Order & { readonly due: number; readonly announced?: string; readonly requested?: string };

/** What a page shows. */
export interface Snapshot {
  /** Why Redis cannot be read; the rest is as it was then. */
  readonly redisError: string;
  readonly orders: readonly ShownOrder[];
  readonly counts: Readonly<Record<"pending" | "overdue" | "announced" | "refund requests" | "dead letters", number>>;
  readonly groups: Readonly<Record<"completed" | "requests", readonly z.infer<typeof Group>[]>>;
  readonly unsettled: readonly z.infer<typeof Unsettled>[];
  readonly completed: readonly Entry[];
  readonly requests: readonly Entry[];
  readonly dead: readonly Entry[];
  readonly invocations: readonly Invocation[];
  readonly faults: Readonly<Faults>;
  /** Whether the database is this process's own, so that it may be broken. */
  readonly breakable: boolean;
  readonly hasInventory: boolean;
}

const EMPTY: Snapshot = {
  redisError: "",
  orders: [],
  counts: { pending: 0, overdue: 0, announced: 0, "refund requests": 0, "dead letters": 0 },
  groups: { completed: [], requests: [] },
  unsettled: [],
  completed: [],
  requests: [],
  dead: [],
  invocations: [],
  faults: NO_FAULTS,
  breakable: false,
  hasInventory: false,
};

/** An order, or a problem document. */
const Placed = z.object({ pk: z.string().optional(), detail: z.string().optional() });

const StreamId = z.string().regex(/^\d+-\d+$/);
const Action = z.discriminatedUnion("action", [
  z.object({ action: z.literal("place"), count: z.union([z.literal(1), z.literal(BURST)]) }),
  z.object({ action: z.literal("refund"), pk: OrderPk }),
  z.object({ action: z.enum(["refund unknown", "refund malformed"]) }),
  z.object({ action: z.literal("run"), name: z.enum(["drainRefunds", "sweepOrders"]) }),
  z.object({ action: z.literal("replay"), id: StreamId }),
  z.object({ action: z.literal("drop"), id: StreamId }),
  z.object({
    action: z.literal("break"),
    redis: z.enum(["up", "down"]).exactOptional(),
    schedules: z.enum(DELIVERIES).exactOptional(),
    inventory: z.enum(["up", "slow"]).exactOptional(),
  }),
]);
export type Action = z.infer<typeof Action>;

/**
 * Serves the console on loopback: one page that shows orders move, and buttons that place, refund and break them. It reads Redis only
 * while a page is open.
 * @throws Error of `listen`
 */
export async function startConsole(options: ConsoleOptions): Promise<ConsoleServer> {
  const { port, redis, faults, redisPid } = options;
  const pages = new Set<ServerResponse>();
  const remembered = new Set<string>();
  let snapshot = EMPTY;
  let sent = "";
  let timer: NodeJS.Timeout | undefined;

  const server = createServer((request, response) => {
    const refusal = refuseForeignPages(request.headers);
    const handled = refusal === undefined ? handle(request, response) : reply(response, 403, refusal);
    void Promise.resolve(handled).catch((error: unknown) => reply(response, 500, messageOf(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return { url: `http://127.0.0.1:${port}`, stop };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    if (route === "GET /") return reply(response, 200, HTML, "text/html; charset=utf-8");
    if (route === "GET /page.css") return reply(response, 200, readFileSync(STYLES, "utf8"), "text/css");
    if (route === "GET /page.js") return reply(response, 200, await bundle(), "text/javascript");
    if (route === "GET /events") return open(response);
    const [, scheduled] = /^GET \/schedules\/(\w+)$/.exec(route) ?? [];
    if (scheduled !== undefined) return reply(response, 200, await readSchedule(scheduled));
    if (route !== "POST /actions") return reply(response, 404, "Not found");
    const action = Action.safeParse(await readJson(request));
    if (!action.success) return reply(response, 400, "There is no such action");
    const message = await run(action.data).catch((error: unknown) => `Failed: ${messageOf(error)}`);
    reply(response, 200, message);
    await poll();
  }

  function open(response: ServerResponse): void {
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
    response.on("close", () => {
      pages.delete(response);
      if (pages.size === 0) clearTimeout(timer);
    });
    response.write(`data: ${JSON.stringify(snapshot)}\n\n`);
    pages.add(response);
    if (pages.size === 1) void keepPolling();
  }

  async function keepPolling(): Promise<void> {
    await poll();
    clearTimeout(timer);
    if (pages.size > 0) timer = setTimeout(keepPolling, options.isUpstash ? POLL_UPSTASH_MS : POLL_MS);
  }

  async function poll(): Promise<void> {
    if (pages.size === 0) return;
    const read = await readStore().catch((error: unknown) => ({ redisError: messageOf(error) }));
    const { invocations, hasInventory } = options;
    snapshot = {
      ...snapshot,
      redisError: "",
      ...read,
      invocations: invocations().slice(0, SHOWN),
      faults: { ...faults },
      breakable: redisPid !== undefined,
      hasInventory,
    };
    const text = JSON.stringify(snapshot);
    if (text === sent) return;
    sent = text;
    for (const page of pages) page.write(`data: ${text}\n\n`);
  }

  async function readStore(): Promise<Partial<Snapshot>> {
    const newest = (stream: string) => ["XREVRANGE", stream, "+", "-", "COUNT", SHOWN];
    const [pendingPks, completed, requests, dead, pending, overdue, announced, requested, deadLetters, ...replies] =
      await commands(
        ["ZRANGE", PENDING_KEY, 0, SHOWN - 1, "REV"],
        newest(COMPLETED_STREAM),
        newest(REFUND_STREAM),
        newest(DEAD_REFUND_STREAM),
        ["ZCARD", PENDING_KEY],
        ["ZCOUNT", PENDING_KEY, "-inf", Date.now() - SWEEP_GRACE_MS],
        ...[COMPLETED_STREAM, REFUND_STREAM, DEAD_REFUND_STREAM].map((stream) => ["XLEN", stream]),
        ["XINFO", "GROUPS", COMPLETED_STREAM],
        ["XINFO", "GROUPS", REFUND_STREAM],
        ["XPENDING", REFUND_STREAM, REFUND_GROUP, "-", "+", SHOWN],
      );
    const [completedGroups, refundGroups, unsettled] = replies;
    const streams = {
      completed: Entries.parse(completed),
      requests: Entries.parse(requests),
      dead: Entries.parse(dead),
    };
    remember([...z.array(z.string()).parse(pendingPks), ...streams.completed.map(({ fields }) => fields.pk ?? "")]);
    return {
      ...streams,
      orders: await readOrders(streams.completed, streams.requests),
      counts: {
        pending: Number(pending),
        overdue: Number(overdue),
        announced: Number(announced),
        "refund requests": Number(requested),
        "dead letters": Number(deadLetters),
      },
      groups: { completed: Groups.parse(completedGroups), requests: Groups.parse(refundGroups) },
      unsettled: z.array(Unsettled).parse(unsettled),
    };
  }

  async function readOrders(completed: readonly Entry[], requests: readonly Entry[]): Promise<ShownOrder[]> {
    const pks = [...remembered].toSorted().reverse().slice(0, SHOWN);
    if (pks.length === 0) return [];
    const hashes = await commands(...pks.map((pk) => ["HGETALL", orderKey(pk)]));
    const idOf = (entries: readonly Entry[], pk: string) => entries.find(({ fields }) => fields.pk === pk)?.id;
    return hashes.flatMap((hash) => {
      const order = Order.safeParse(Fields.parse(hash));
      if (!order.success) return [];
      const { pk } = order.data;
      const [announced, requested] = [idOf(completed, pk), idOf(requests, pk)];
      return [{ ...order.data, due: dueTime(pk), ...(announced && { announced }), ...(requested && { requested }) }];
    });
  }

  /** The schedule of an order as the Scheduler has it. The client is large, so it is loaded for the first order that is opened. */
  async function readSchedule(pk: string): Promise<string> {
    const { GetScheduleCommand, ResourceNotFoundException, SchedulerClient } = await import(
      "@aws-sdk/client-scheduler"
    );
    const credentials = { accessKeyId: "console", secretAccessKey: "console" };
    const client = new SchedulerClient({ endpoint: options.schedulerUrl, region: "local", credentials });
    try {
      const { $metadata, ...schedule } = await client.send(
        new GetScheduleCommand({ Name: pk, GroupName: SCHEDULE_GROUP }),
      );
      return JSON.stringify(schedule, null, 2);
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return "None: it has fired, or was never created.";
      throw error;
    } finally {
      client.destroy();
    }
  }

  function remember(pks: readonly string[]): void {
    for (const pk of pks) if (OrderPk.safeParse(pk).success) remembered.add(pk);
    for (const pk of [...remembered].toSorted().slice(0, -REMEMBERED)) remembered.delete(pk);
  }

  /** @returns what happened, for the person who clicked */
  async function run(action: Action): Promise<string> {
    switch (action.action) {
      case "place":
        return place(action.count);
      case "refund":
        return requestRefund({ pk: action.pk });
      case "refund unknown":
        return requestRefund({ pk: ulid() });
      case "refund malformed":
        return requestRefund({ note: "without a pk" });
      case "run":
        return invoke(action.name);
      case "replay":
        await commands(["EVAL", readFileSync(REPLAY, "utf8"), 2, DEAD_REFUND_STREAM, REFUND_STREAM, action.id]);
        return `Dead letter ${action.id} is back on ${REFUND_STREAM}`;
      case "drop":
        assertBreakable();
        await commands(["XDEL", DEAD_REFUND_STREAM, action.id]);
        return `Dead letter ${action.id} is deleted`;
      case "break": {
        assertBreakable();
        const { action: _, ...changed } = action;
        setFaults(changed);
        return `Redis is ${faults.redis}, schedules are delivered ${faults.schedules}, the inventory is ${faults.inventory}`;
      }
    }
  }

  function assertBreakable(): void {
    if (redisPid === undefined) throw new Error("this database is yours: nothing is broken or dropped in it");
  }

  async function place(count: number): Promise<string> {
    let [placed, failed] = [0, ""];
    async function placeOne(): Promise<void> {
      const sending = await fetch(`${options.apiUrl}/orders`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "tea-green", quantity: 1 + (placed % 5) }),
      });
      const { pk, detail = "" } = Placed.parse(await sending.json());
      if (pk === undefined) failed = `${sending.status} ${detail}`;
      else {
        placed += 1;
        remember([pk]);
      }
    }
    await pLimit(BURST_AT_ONCE).map(Array(count), placeOne);
    return `${placed} ${placed === 1 ? "order" : "orders"} placed${failed && `, the others failed: ${failed}`}`;
  }

  async function requestRefund(fields: Record<string, string>): Promise<string> {
    await commands(["XADD", REFUND_STREAM, "*", ...Object.entries(fields).flat()]);
    return `A refund is requested: the poller reads it within a minute, or when you run it`;
  }

  async function invoke(name: "drainRefunds" | "sweepOrders"): Promise<string> {
    const { ok, headers } = await options.invoke(name);
    return ok && !headers.has("x-amz-function-error") ? `${name} ran` : `${name} failed: see its invocation`;
  }

  /** A stopped process keeps its data and its connections, and answers nothing: what a Redis that hangs looks like. */
  function setFaults(changed: Partial<Faults>): void {
    Object.assign(faults, changed);
    if (redisPid !== undefined) process.kill(redisPid, faults.redis === "down" ? "SIGSTOP" : "SIGCONT");
  }

  /** @throws Error when Redis does not answer in time, or refuses a command */
  async function commands(...list: readonly (readonly (string | number)[])[]): Promise<unknown[]> {
    const response = await fetch(`${redis.url}/pipeline`, {
      method: "POST",
      headers: { authorization: `Bearer ${redis.token}` },
      body: JSON.stringify(list),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const replies = z
      .array(z.object({ result: z.unknown().optional(), error: z.string().optional() }))
      .parse(await response.json());
    return replies.map(({ result, error }) => {
      // A stream that nobody has written to has no groups, and one that nobody has read not the poller's.
      if (error !== undefined && !/^(ERR no such key|NOGROUP)/.test(error)) throw new Error(error);
      return result ?? [];
    });
  }

  function stop(): void {
    if (faults.redis === "down") setFaults({ redis: "up" });
    clearTimeout(timer);
    server.closeAllConnections();
    server.close();
  }
}

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

function reply(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { ...HEADERS, "content-type": type }).end(body);
}

let built: Promise<string> | undefined;

/** The page's script, built at its first request, so that the start of the service does not wait for it. */
function bundle(): Promise<string> {
  built ??= build({
    entryPoints: [PAGE],
    bundle: true,
    minify: true,
    write: false,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  }).then(({ outputFiles }) => outputFiles[0]?.text ?? "");
  return built;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
