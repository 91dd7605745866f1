import childProcess, { type ChildProcess, type SpawnOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { stop as stopEsbuild } from "esbuild";
import { allowedOrigins, emulateApiGateway, limitConcurrency, startedApiServer } from "./api-gateway.ts";
import { captureActivity } from "./console/activity.ts";
import { type ConsoleServer, startConsole } from "./console/console.ts";
import { type Faults, NO_FAULTS } from "./console/faults.ts";
import { reasonOf } from "./error-reason.ts";
import { makeWritableFolder, removeAtExit } from "./folders.ts";
import { guardServers, refuseForeignHosts, refuseForeignPages } from "./loopback-guard.ts";
import { exitOnTermination } from "./process-lifecycle.ts";
import { bypassProxyForLoopback } from "./proxy.ts";
import {
  forgetAwsSettings,
  invokeFunction,
  localEnvironment,
  readOnlyEnvironment,
  readSettings,
  type Settings,
} from "./settings.ts";
import { banner, MAX_CONCURRENT_CALLS, type Stack, startStack } from "./stack.ts";

/** The function that schedules invoke, and the one that creates the stream of completed orders. */
const COMPLETE_ORDER = "completeOrder";
const SWEEP_ORDERS = "sweepOrders";

/** The field of the secret that functions which only read refer to (serverless.yml, `custom.redis`). */
const READ_ONLY_TOKEN_FIELD = "read_only_token";

const BUILD_FOLDERS = ".esbuild";

/** The commands that bundle functions, and those that zip bundles. */
const BUILDING_COMMAND = /^(offline|invoke local|package|deploy)/;
const PACKAGING_COMMAND = /^(package|deploy)/;

/** The part of the framework that the plugin uses. The framework's package has no types. */
interface Serverless {
  readonly serviceDir: string;
  readonly processedInput: { readonly commands: readonly string[]; readonly options: { readonly verbose?: boolean } };
  readonly service: {
    readonly custom: { readonly esbuild: EsbuildOptions; readonly "serverless-offline": object };
    readonly provider: {
      environment?: Record<string, unknown>;
      readonly region: string;
      readonly httpApi: { readonly cors: unknown };
    };
    readonly functions: Record<string, { readonly name: string; environment?: Record<string, unknown> }>;
  };
  readonly pluginManager: { getPlugins(): readonly object[] };
}

/** The part of the package `log` that is used here: https://www.npmjs.com/package/log */
interface Logger {
  readonly levelRoot: Logger;
  get(namespace: string): Logger;
  disable(): { restore(): void };
}

interface Writers {
  readonly log: Logger;
}

interface EsbuildOptions {
  outputWorkFolder?: string;
  outputFileExtension?: string;
}

/**
 * Runs the service on one machine: starts the local stack before serverless-offline, points the functions at it, and prints
 * every address. For packaging and deploying, it only sets a build folder per process.
 */
export default class LocalStackPlugin {
  /** `serverless offline` fires "before:offline:start", `serverless offline start` the hook after it. */
  readonly hooks = {
    initialize: () => this.#prepare(),
    "before:offline:start": () => this.#start(),
    "before:offline:start:init": () => this.#start(),
    "after:offline:functionsUpdated:cleanup": () => this.#sweepAfterReload(),
    "before:package:finalize": () => this.#forgetBuildFolder(),
  };

  readonly #serverless: Serverless;
  readonly #log: Logger;
  readonly #command: string;

  constructor(serverless: Serverless, _options: unknown, { log }: Writers) {
    this.#serverless = serverless;
    this.#log = log;
    this.#command = serverless.processedInput.commands.join(" ");
    bypassProxyForLoopback();
  }

  /** In `initialize`, and this plugin is the first: serverless-esbuild reads its options in the same hook. */
  async #prepare(): Promise<void> {
    if (!BUILDING_COMMAND.test(this.#command)) return;
    try {
      const { serviceDir, service } = this.#serverless;
      service.custom.esbuild.outputWorkFolder = await ownBuildFolder(serviceDir, this.#command);
      if (this.#command === "invoke local") this.#beforeInvokeLocal();
    } catch (error) {
      exitWith(error);
    }
  }

  async #start(): Promise<void> {
    try {
      const settings = readSettings(process.env);
      // Until everything runs, the exit of this process ends what was started.
      let stop = async () => {};
      exitOnTermination(() => stop());
      forgetAwsSettings(process.env);
      // In MB, for this thread and every worker. The default of 16 lets each worker keep up to 48 MB of short-lived objects.
      setFlagsFromString("--max-semi-space-size=2");
      detachEsbuild();
      const faults: Faults = { ...NO_FAULTS };
      const stack = await startStack(settings, faults);
      const console = await this.#startConsole(settings, stack, faults);
      stop = async () => {
        // First, because Redis may be stopped on purpose.
        console.stop();
        await stack.stop();
      };
      Object.assign(this.#serverless.service.custom["serverless-offline"], offlineOptions(settings));
      this.#pointFunctionsAtStack({ ...settings, INVENTORY_URL: stack.inventoryUrl });
      guardOffline(settings);
      void this.#announce(settings, stack, this.#muteOffline());
    } catch (error) {
      exitWith(error);
    }
  }

  #startConsole(settings: Settings, { redisPid }: Stack, faults: Faults): Promise<ConsoleServer> {
    const { provider, functions } = this.#serverless.service;
    const environment = localEnvironment(settings, provider.region, COMPLETE_ORDER);
    return startConsole({
      port: settings.ORDERS_CONSOLE_PORT,
      apiUrl: `http://127.0.0.1:${settings.ORDERS_API_PORT}`,
      schedulerUrl: `http://127.0.0.1:${settings.ORDERS_SCHEDULER_PORT}`,
      redis: { url: environment.UPSTASH_REDIS_REST_URL ?? "", token: environment.UPSTASH_REDIS_REST_TOKEN ?? "" },
      invoke: (name) => invokeFunction(settings, functions[name]?.name ?? name),
      activity: captureActivity(),
      faults,
      breakable: redisPid !== undefined,
      isUpstash: settings.UPSTASH_REDIS_REST_URL !== undefined,
      hasInventory: settings.INVENTORY_URL !== undefined,
      completion: functions[SWEEP_ORDERS]?.environment?.COMPLETION === "sweep" ? "sweep" : "scheduler",
    });
  }

  /** In `initialize`, because the framework's own hooks of this command ask AWS to resolve references. */
  #beforeInvokeLocal(): void {
    // serverless-esbuild finds bundles by this extension only.
    this.#serverless.service.custom.esbuild.outputFileExtension = ".js";
    forgetAwsSettings(process.env);
    Object.assign(process.env, this.#pointFunctionsAtStack(readSettings(process.env)));
  }

  #pointFunctionsAtStack(settings: Settings): Record<string, string> {
    const { provider, functions } = this.#serverless.service;
    const environment = localEnvironment(settings, provider.region, functions[COMPLETE_ORDER]?.name ?? COMPLETE_ORDER);
    // A function's own variables win over the provider's, and some are references that only CloudFormation resolves.
    for (const definition of Object.values(functions)) {
      const readsOnly = String(definition.environment?.UPSTASH_REDIS_REST_TOKEN).includes(READ_ONLY_TOKEN_FIELD);
      const own = readsOnly ? readOnlyEnvironment(settings) : {};
      definition.environment = { ...definition.environment, ...environment, ...own };
    }
    provider.environment = { ...provider.environment, ...environment };
    return environment;
  }

  /**
   * Hides what serverless-offline reports about its start, all its routes for example. `--verbose` shows it.
   * @returns shows its reports from then on: one line for each invocation
   */
  #muteOffline(): () => void {
    if (this.#serverless.processedInput.options.verbose) return () => undefined;
    const { restore } = this.#log.levelRoot.get("serverless:plugin:serverless-offline").disable();
    const { log } = console;
    // It prints the routes with it.
    console.log = () => undefined;
    return () => {
      restore();
      console.log = log;
    };
  }

  async #announce(settings: Settings, stack: Stack, unmute: () => void): Promise<void> {
    try {
      const { pluginManager, service } = this.#serverless;
      const server = await startedApiServer(pluginManager.getPlugins());
      unmute();
      emulateApiGateway(server, allowedOrigins(service.provider.httpApi.cors));
      limitConcurrency(server, MAX_CONCURRENT_CALLS);
      // It creates the stream of completed orders. On AWS it runs within a minute of a deploy.
      const swept = this.#sweep(settings);
      if (!this.#sweepsAllTheTime()) await swept;
      await releaseStartupMemory();
      process.stdout.write(banner(settings, stack));
    } catch (error) {
      exitWith(error);
    }
  }

  /** With `completion: sweep`, a run lasts until after the next minute's has begun. */
  #sweepsAllTheTime(): boolean {
    return this.#serverless.service.functions[SWEEP_ORDERS]?.environment?.COMPLETION === "sweep";
  }

  async #sweep(settings: Settings): Promise<void> {
    const { name = SWEEP_ORDERS } = this.#serverless.service.functions[SWEEP_ORDERS] ?? {};
    const swept = invokeFunction(settings, name);
    // The run of a function that was reloaded has no reply.
    await (this.#sweepsAllTheTime() ? swept.catch(() => undefined) : swept);
  }

  /** serverless-offline has just ended every function, the sweep too, because a file has changed. */
  #sweepAfterReload(): void {
    if (this.#sweepsAllTheTime()) void this.#sweep(readSettings(process.env));
  }

  /**
   * The framework writes the service into the state file, and skips a deploy with an unchanged state file. With a name
   * of this process in it, the file always changes.
   */
  #forgetBuildFolder(): void {
    delete this.#serverless.service.custom.esbuild.outputWorkFolder;
  }
}

/**
 * Gives each process a build folder of its own, removed when the process exits. In a shared one, `npm run package` would
 * delete the bundles of a running `npm start`, and an old .js would win over the newer .mjs beside it. Temporary files of
 * packaging go there too, because serverless-esbuild leaves a folder behind for each function.
 * @param command such as "offline start"
 * @returns its path in the project
 */
async function ownBuildFolder(projectDir: string, command: string): Promise<string> {
  await makeWritableFolder(join(projectDir, BUILD_FOLDERS), "Use a copy of the project in a folder of yours.");
  const folder = join(BUILD_FOLDERS, randomUUID());
  const path = join(projectDir, folder);
  removeAtExit(path);
  if (PACKAGING_COMMAND.test(command)) {
    process.env.TMPDIR = join(path, "tmp");
    await mkdir(process.env.TMPDIR, { recursive: true });
  }
  return folder;
}

/**
 * Starts esbuild's processes in process groups of their own. In the group of this process, Ctrl-C ends them first, and a build
 * that they do not finish is an error with a stack trace.
 */
function detachEsbuild(): void {
  const { spawn } = childProcess;
  function spawnDetached(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const isEsbuild = Array.isArray(args) && args.some((arg) => arg.startsWith("--service="));
    if (!isEsbuild) return Reflect.apply(spawn, childProcess, [file, args, options]);
    const esbuild = spawn(file, args, { ...options, detached: true });
    // Before the build folder is removed, into which it may be writing.
    process.prependOnceListener("exit", () => esbuild.kill("SIGKILL"));
    return esbuild;
  }
  // esbuild is a CommonJS package, which looks the function up at each call.
  Object.assign(childProcess, { spawn: spawnDetached });
}

/** Not in serverless.yml, where an empty variable would count as set. */
function offlineOptions(settings: Settings) {
  return {
    httpPort: settings.ORDERS_API_PORT,
    lambdaPort: settings.ORDERS_LAMBDA_PORT,
    // API Gateway passes every Cookie header on. hapi would refuse what RFC 6265 does not allow.
    disableCookieValidation: true,
  };
}

/**
 * Before serverless-offline starts its servers. Pages of other origins reach the API as they do on AWS: CORS decides
 * whether they may read replies, and every request that changes anything is JSON, for which browsers ask first.
 */
function guardOffline({ ORDERS_API_PORT }: Settings): void {
  guardServers((port) => (port === ORDERS_API_PORT ? refuseForeignHosts : refuseForeignPages));
}

/**
 * Releases about 400 MB that only the start needs: esbuild's process, which starts again when a file changes (see `stop` in
 * esbuild/lib/main.d.ts), and garbage from loading the framework.
 */
async function releaseStartupMemory(): Promise<void> {
  await stopEsbuild();
  setFlagsFromString("--expose-gc");
  const collectGarbage: unknown = runInNewContext("gc");
  if (typeof collectGarbage === "function") collectGarbage({ type: "major", flavor: "last-resort" });
}

/** One line for the person at the terminal, with the cause; the framework would add its own and a stack trace. */
function exitWith(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  // The message of an AggregateError of ours has all its reasons.
  const reason = error instanceof AggregateError ? "" : reasonOf(error);
  process.stderr.write(`\n${message}${message.includes(reason) ? "" : ` (${reason})`}\n`);
  process.exit(1);
}
