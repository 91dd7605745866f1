import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { json as readJson } from "node:stream/consumers";
import { build } from "esbuild";
import pLimit from "p-limit";
import { ulid } from "ulid";
import { z } from "zod";
import { OrderPk } from "../../lib/orders/order.ts";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { refuseForeignPages } from "../loopback-guard.ts";
import { SCHEDULE_GROUP } from "../settings.ts";
import { DELIVERIES, type Faults } from "./faults.ts";
import type { Invocation } from "./output.ts";
import { openStore, SHOWN, type Store } from "./store.ts";

const POLL_MS = 500;

/** Upstash bills each command. */
const POLL_UPSTASH_MS = 5_000;

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

/** What a page shows: of Redis, what was there when it was last read. */
export interface Snapshot {
  /** Why Redis cannot be read. */
  readonly redisError: string;
  readonly store?: Store;
  readonly invocations: readonly Invocation[];
  readonly faults: Readonly<Faults>;
  /** Whether the database is this process's own, so that it may be broken. */
  readonly breakable: boolean;
  readonly hasInventory: boolean;
}

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
  const store = openStore(redis);
  let shown: Store | undefined;
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
    pages.add(response);
    sent = "";
    if (pages.size === 1) void keepPolling();
  }

  async function keepPolling(): Promise<void> {
    await poll();
    clearTimeout(timer);
    if (pages.size > 0) timer = setTimeout(keepPolling, options.isUpstash ? POLL_UPSTASH_MS : POLL_MS);
  }

  async function poll(): Promise<void> {
    if (pages.size === 0) return;
    let redisError = "";
    try {
      shown = await store.read();
    } catch (error) {
      redisError = messageOf(error);
    }
    const { invocations, hasInventory } = options;
    const snapshot: Snapshot = {
      redisError,
      ...(shown && { store: shown }),
      invocations: invocations().slice(0, SHOWN),
      faults,
      breakable: redisPid !== undefined,
      hasInventory,
    };
    const text = JSON.stringify(snapshot);
    if (text === sent) return;
    sent = text;
    for (const page of pages) page.write(`data: ${text}\n\n`);
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
        await store.commands(["EVAL", readFileSync(REPLAY, "utf8"), 2, DEAD_REFUND_STREAM, REFUND_STREAM, action.id]);
        return `Dead letter ${action.id} is back on ${REFUND_STREAM}`;
      case "drop":
        assertBreakable();
        await store.commands(["XDEL", DEAD_REFUND_STREAM, action.id]);
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
        store.remember([pk]);
      }
    }
    await pLimit(BURST_AT_ONCE).map(Array(count), placeOne);
    return `${placed} ${placed === 1 ? "order" : "orders"} placed${failed && `, the others failed: ${failed}`}`;
  }

  async function requestRefund(fields: Record<string, string>): Promise<string> {
    await store.commands(["XADD", REFUND_STREAM, "*", ...Object.entries(fields).flat()]);
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
