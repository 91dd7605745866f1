import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { json as readJson } from "node:stream/consumers";
import { build } from "esbuild";
import { ulid } from "ulid";
import { z } from "zod";
import { OrderPk } from "../../lib/orders/order.ts";
import { DEAD_LETTER_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { reasonOf } from "../error-reason.ts";
import { refuseForeignPages } from "../loopback-guard.ts";
import { SCHEDULE_GROUP } from "../settings.ts";
import { type Activity, type Completion, type Invocation, type Second, WINDOW_S } from "./activity.ts";
import { DELIVERIES, type Faults, NO_FAULTS } from "./faults.ts";
import { openStore, SHOWN, type Store } from "./redis.ts";
import { inSeconds, placeMany, SCENES, type Scene, type SceneName, type Stage, sceneNames } from "./scenes.ts";

const POLL_MS = 500;

/** Upstash bills each command. */
const POLL_UPSTASH_MS = 5_000;

const BURST = 100;
const MAX_LOG = 200;

const ALL_WELL = Object.values(NO_FAULTS).join("");

/** The Scheduler stand-in wants a signature, and does not check it. */
const SIGNATURE =
  "AWS4-HMAC-SHA256 Credential=console/20260101/local/scheduler/aws4_request, SignedHeaders=host, Signature=0";

const REPLAY = new URL("../../lib/refunds/replay-dead-letters.lua", import.meta.url);
const README = new URL("../../README.md", import.meta.url);

/** Everything comes from this server. React and uPlot set styles by script, which needs no permission. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Orders, live</title>
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
  readonly activity: Activity;
  readonly faults: Faults;
  /** Whether Redis is a private one. Otherwise the database is the user's: nothing is broken or dropped there. */
  readonly breakable: boolean;
  readonly isUpstash: boolean;
  readonly hasInventory: boolean;
  /** What completes orders: the parameter `completion`. */
  readonly completion: "scheduler" | "sweep";
}

export interface ConsoleServer {
  readonly url: string;
  stop(): void;
}

/** What a page shows: of Redis, what was there when it was last read. */
export interface Snapshot extends Pick<ConsoleOptions, "apiUrl" | "breakable" | "hasInventory" | "completion"> {
  /** Why Redis cannot be read. */
  readonly redisError: string;
  readonly store?: Store;
  readonly invocations: readonly Invocation[];
  readonly totals: Activity["totals"];
  readonly completions: Readonly<Record<string, Completion>>;
  /** What happened in the last minutes, and when something was broken, in seconds since the epoch. */
  readonly chart: readonly Second[];
  readonly broken: readonly { readonly from: number; to: number }[];
  readonly faults: Readonly<Faults>;
  readonly scenes: readonly (Pick<Scene, "title" | "about" | "takes"> & {
    readonly name: SceneName;
    readonly allowed: boolean;
  })[];
  readonly playing: { readonly name: SceneName; readonly startedAt: number; readonly next: string } | undefined;
  /** What happened, the newest first. */
  readonly log: readonly { readonly id: number; readonly at: number; readonly text: string }[];
}

const StreamId = z.string().regex(/^\d+-\d+$/);
const Action = z.discriminatedUnion("action", [
  z.object({ action: z.literal("place"), count: z.union([z.literal(1), z.literal(BURST)]) }),
  z.object({ action: z.literal("refund"), pk: OrderPk }),
  z.object({ action: z.enum(["refund unknown", "refund malformed", "stop"]) }),
  z.object({ action: z.literal("run"), name: z.enum(["drainRefunds", "sweepOrders"]) }),
  z.object({ action: z.enum(["replay", "drop"]), id: StreamId }),
  z.object({ action: z.literal("play"), scene: z.custom<SceneName>((name) => Object.hasOwn(SCENES, String(name))) }),
  z.object({
    action: z.literal("break"),
    redis: z.enum(["up", "down"]).exactOptional(),
    schedules: z.enum(DELIVERIES).exactOptional(),
    inventory: z.enum(["up", "slow"]).exactOptional(),
  }),
]);
export type Action = z.infer<typeof Action>;

/**
 * Serves the console on loopback: one page that shows orders move, plays scenes, and places, refunds and breaks things by hand.
 * It reads Redis only while a page is open.
 * @throws Error of `listen`
 */
export async function startConsole(options: ConsoleOptions): Promise<ConsoleServer> {
  const { port, redis, faults, breakable, activity } = options;
  const pages = new Set<ServerResponse>();
  const store = openStore(redis);
  const log: Snapshot["log"][number][] = [];
  let broken: Snapshot["broken"] = [];
  let wasBroken = false;
  let shown: Store | undefined;
  let redisError = "";
  /** When Redis stopped to answer, without having been stopped here; otherwise 0. */
  let failedAt = 0;
  let sent = "";
  let timer: NodeJS.Timeout | undefined;
  let playing: Snapshot["playing"];
  let scene = new AbortController();
  /** The process id of the Redis that is stopped. */
  let stopped: number | undefined;

  const server = createServer((request, response) => {
    const refusal = refuseForeignPages(request.headers);
    const handled = refusal === undefined ? handle(request, response) : reply(response, 403, refusal);
    void Promise.resolve(handled).catch((error: unknown) => reply(response, 500, reasonOf(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return { url: `http://127.0.0.1:${port}`, stop };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    if (route === "GET /") return reply(response, 200, HTML, "text/html; charset=utf-8");
    if (route === "GET /page.css") return reply(response, 200, (await bundle()).css, "text/css");
    if (route === "GET /page.js") return reply(response, 200, (await bundle()).js, "text/javascript");
    if (route === "GET /README.md") return reply(response, 200, readFileSync(README, "utf8"));
    if (route === "GET /events") return open(response);
    const [, scheduled] = /^GET \/schedules\/(\w+)$/.exec(route) ?? [];
    if (scheduled !== undefined) return reply(response, 200, await readSchedule(scheduled));
    if (route !== "POST /actions") return reply(response, 404, "Not found");
    const action = Action.safeParse(await readJson(request));
    if (!action.success) return reply(response, 400, "There is no such action");
    const message = await run(action.data).catch((error: unknown) => `Failed: ${reasonOf(error)}`);
    if (message !== "") say(message);
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
    try {
      shown = await store.read();
      redisError = "";
      // Another Redis answers: the one that was stopped was killed.
      if (stopped !== undefined && (await redisPid()) !== stopped) await setFaults({ redis: "up" });
    } catch (error) {
      redisError = reasonOf(error);
    }
    if (redisError !== "" && failedAt === 0 && faults.redis === "up") {
      failedAt = Date.now();
      say(
        `Redis does not answer (${redisError}). If it was killed, the terminal of npm start says how to start it again.`,
      );
    }
    if (redisError === "" && failedAt !== 0) {
      say(`Redis answers again, after ${inSeconds(Date.now() - failedAt)}.`);
      failedAt = 0;
    }
    const text = JSON.stringify(snapshot());
    if (text === sent) return;
    sent = text;
    for (const page of pages) page.write(`data: ${text}\n\n`);
  }

  function snapshot(): Snapshot {
    const { apiUrl, hasInventory, completion } = options;
    const { invocations, totals, seconds, completions } = activity;
    const now = Math.floor(Date.now() / 1_000);
    const isBroken = redisError !== "" || Object.values(faults).join("") !== ALL_WELL;
    const current = wasBroken ? broken.at(-1) : undefined;
    if (isBroken && current) current.to = now;
    else if (isBroken) broken = [...broken, { from: now, to: now }].slice(-SHOWN);
    wasBroken = isBroken;
    return {
      ...{ apiUrl, hasInventory, completion, breakable, redisError, faults, totals, playing },
      ...(shown && { store: shown }),
      invocations: invocations.slice(0, SHOWN),
      log: log.slice(0, SHOWN),
      completions: Object.fromEntries(
        [...completions].filter(([pk]) => shown?.orders.some((order) => order.pk === pk)),
      ),
      chart: [...seconds.values()].filter(({ at }) => at > now - WINDOW_S),
      broken,
      scenes: sceneNames(completion).map((name) => {
        const { title, about, takes, breaks } = SCENES[name];
        return { name, title, about, takes, allowed: breakable || !breaks };
      }),
    };
  }

  /** The schedule of an order as the Scheduler has it. */
  async function readSchedule(pk: string): Promise<string> {
    const url = `${options.schedulerUrl}/schedules/${pk}?groupName=${SCHEDULE_GROUP}`;
    const response = await fetch(url, { headers: { authorization: SIGNATURE } });
    if (response.status === 404) return "None: it has fired, or was never created.";
    return JSON.stringify(await response.json(), null, 2);
  }

  function say(text: string): void {
    log.unshift({ id: (log[0]?.id ?? 0) + 1, at: Date.now(), text });
    log.length = Math.min(log.length, MAX_LOG);
  }

  /** @returns what happened, for the person who clicked */
  async function run(action: Action): Promise<string> {
    switch (action.action) {
      case "place": {
        const placed = await placeMany(stage(), action.count);
        store.remember(placed);
        return placed.length === 0 ? "" : `You placed ${placed.length === 1 ? "an order" : `${placed.length} orders`}.`;
      }
      case "refund":
        return requestRefund({ pk: action.pk });
      case "refund unknown":
        return requestRefund({ pk: ulid() });
      case "refund malformed":
        return requestRefund({ note: "without a pk" });
      case "run":
        return invoke(action.name);
      case "replay":
        return replay(action.id);
      case "drop":
        assertBreakable();
        await store.commands(["XDEL", DEAD_LETTER_STREAM, action.id]);
        return `Dead letter ${action.id} is deleted.`;
      case "break": {
        const { action: _, ...changed } = action;
        await setFaults(changed);
        return `Redis is ${faults.redis}, schedules fire ${faults.schedules}, the inventory is ${faults.inventory}.`;
      }
      case "play":
        if (playing) throw new Error("another scene is playing: stop it first");
        if (SCENES[action.scene].breaks) assertBreakable();
        void play(action.scene);
        return "";
      case "stop":
        scene.abort();
        return "";
    }
  }

  async function play(name: SceneName): Promise<void> {
    playing = { name, startedAt: Date.now(), next: "" };
    const { title, breaks, play } = SCENES[name];
    say(`Scene: ${title}.`);
    try {
      await play(stage());
      say("End of the scene.");
    } catch (error) {
      say(scene.signal.aborted ? "The scene is stopped." : `The scene failed: ${reasonOf(error)}`);
    }
    playing = undefined;
    scene = new AbortController();
    if (breaks) await setFaults({ redis: "up", schedules: "on time" });
  }

  function stage(): Stage {
    return {
      ...{ apiUrl: options.apiUrl, completions: activity.completions, signal: scene.signal },
      ...{ commands: store.commands, log: say, invoke, replay, setFaults },
      expect: (next) => {
        if (playing) playing = { ...playing, next };
      },
    };
  }

  function assertBreakable(): void {
    if (!breakable) throw new Error("this database is yours: nothing is broken or dropped in it");
  }

  async function requestRefund(fields: Record<string, string>): Promise<string> {
    await store.commands(["XADD", REFUND_STREAM, "*", ...Object.entries(fields).flat()]);
    return "A refund is requested: the poller reads it within a minute, or when you run it.";
  }

  async function replay(id: string): Promise<string> {
    await store.commands(["EVAL", readFileSync(REPLAY, "utf8"), 2, DEAD_LETTER_STREAM, REFUND_STREAM, id]);
    return `Dead letter ${id} is back on ${REFUND_STREAM}.`;
  }

  async function invoke(name: "drainRefunds" | "sweepOrders"): Promise<string> {
    const { ok, headers } = await options.invoke(name);
    return ok && !headers.has("x-amz-function-error") ? `${name} ran.` : `${name} failed: see its invocation.`;
  }

  /** A stopped process keeps its data and its connections, and answers nothing: what a Redis that hangs looks like. */
  async function setFaults(changed: Partial<Faults>): Promise<void> {
    assertBreakable();
    if (changed.redis === "down" && stopped === undefined) {
      stopped = await redisPid();
      process.kill(stopped, "SIGSTOP");
    }
    if (changed.redis === "up") resume();
    Object.assign(faults, changed);
  }

  function resume(): void {
    try {
      if (stopped !== undefined) process.kill(stopped, "SIGCONT");
    } catch {
      // It was killed meanwhile.
    }
    stopped = undefined;
  }

  /** Of the Redis that answers now: somebody may have killed the first one and started another. */
  async function redisPid(): Promise<number> {
    const [info] = await store.commands(["INFO", "server"]);
    return z.coerce
      .number()
      .int()
      .positive()
      .parse(/^process_id:(\d+)/m.exec(String(info))?.[1]);
  }

  function stop(): void {
    scene.abort();
    resume();
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

let built: Promise<{ readonly js: string; readonly css: string }> | undefined;

/** The page's script and style, built at its first request, so that the start of the service does not wait for them. */
function bundle(): NonNullable<typeof built> {
  built ??= build({
    entryPoints: [join(import.meta.dirname, "page.tsx")],
    outdir: "/",
    bundle: true,
    minify: true,
    write: false,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  }).then(({ outputFiles }) => {
    const textOf = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "";
    return { js: textOf(".js"), css: textOf(".css") };
  });
  return built;
}
