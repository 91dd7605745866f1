import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { stop as stopEsbuild } from "esbuild";
import { allowedOrigins, emulateApiGateway, limitConcurrency, startedApiServer } from "./api-gateway.ts";
import { captureActivity } from "./console/activity.ts";
import { type ConsoleServer, startConsole } from "./console/console.ts";
import { type Faults, NO_FAULTS } from "./console/faults.ts";
import { guardServers, refuseForeignHosts, refuseForeignPages } from "./loopback-guard.ts";
import { exitOnTermination, removeStaleFolders } from "./process-lifecycle.ts";
import { invokeFunction, localEnvironment, readOnlyEnvironment, readSettings, type Settings } from "./settings.ts";
import { banner, MAX_CONCURRENT_CALLS, type Stack, startStack } from "./stack.ts";

/** The function that schedules invoke, and the one that creates the stream of completed orders. */
const COMPLETE_ORDER = "completeOrder";
const SWEEP_ORDERS = "sweepOrders";

/** The field of the secret that functions which only read refer to (serverless.yml, `custom.redis`). */
const READ_ONLY_TOKEN_FIELD = "read_only_token";

const BUILD_FOLDERS = ".esbuild";

/** The commands that zip bundles. */
const PACKAGING_COMMAND = /^(package|deploy)/;

/** The part of the framework that the plugin uses. The framework's package has no types. */
interface Serverless {
  readonly serviceDir: string;
  readonly processedInput: { readonly commands: readonly string[] };
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
    initialize: () => this.#beforeInvokeLocal(),
    "before:offline:start": () => this.#start(),
    "before:offline:start:init": () => this.#start(),
    "before:package:finalize": () => this.#forgetBuildFolder(),
  };

  readonly #serverless: Serverless;
  readonly #command: string;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    this.#command = serverless.processedInput.commands.join(" ");
    // Here, because serverless-esbuild reads its options in a hook that runs before this plugin's.
    const { esbuild } = serverless.service.custom;
    esbuild.outputWorkFolder = ownBuildFolder(serverless.serviceDir, this.#command);
    // It finds bundles by this extension only.
    if (this.#command === "invoke local") esbuild.outputFileExtension = ".js";
  }

  async #start(): Promise<void> {
    try {
      const settings = readSettings(process.env);
      // In MB, for this thread and every worker. The default of 16 lets each worker keep up to 48 MB of short-lived objects.
      setFlagsFromString("--max-semi-space-size=2");
      const faults: Faults = { ...NO_FAULTS };
      const stack = await startStack(settings, faults);
      const console = await this.#startConsole(settings, stack, faults);
      exitOnTermination(async () => {
        // First, because Redis may be stopped on purpose.
        console.stop();
        await stack.stop();
      });
      Object.assign(this.#serverless.service.custom["serverless-offline"], offlineOptions(settings));
      this.#pointFunctionsAtStack({ ...settings, INVENTORY_URL: stack.inventoryUrl });
      guardOffline(settings);
      void this.#announce(settings, stack);
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
    if (this.#command !== "invoke local") return;
    const environment = this.#pointFunctionsAtStack(readSettings(process.env));
    Object.assign(process.env, environment);
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
    // A profile would add its own region and credentials to those given here.
    delete process.env.AWS_PROFILE;
    return environment;
  }

  async #announce(settings: Settings, stack: Stack): Promise<void> {
    try {
      const { pluginManager, service } = this.#serverless;
      const server = await startedApiServer(pluginManager.getPlugins());
      emulateApiGateway(server, allowedOrigins(service.provider.httpApi.cors));
      limitConcurrency(server, MAX_CONCURRENT_CALLS);
      // It creates the stream of completed orders. On AWS it runs within a minute of a deploy. With `completion: sweep` it
      // lasts more than a minute, so nobody waits for it.
      const sweep = service.functions[SWEEP_ORDERS];
      const swept = invokeFunction(settings, sweep?.name ?? SWEEP_ORDERS);
      if (sweep?.environment?.COMPLETION === "sweep") swept.catch(exitWith);
      else await swept;
      await releaseStartupMemory();
      process.stdout.write(banner(settings, stack));
    } catch (error) {
      exitWith(error);
    }
  }

  /**
   * The framework writes the service into the state file, and skips a deploy with an unchanged state file. With a process id
   * in it, the file always changes.
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
function ownBuildFolder(projectDir: string, command: string): string {
  removeStaleFolders(join(projectDir, BUILD_FOLDERS));
  const folder = join(BUILD_FOLDERS, String(process.pid));
  const path = join(projectDir, folder);
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  if (PACKAGING_COMMAND.test(command)) {
    process.env.TMPDIR = join(path, "tmp");
    mkdirSync(process.env.TMPDIR, { recursive: true });
  }
  return folder;
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

/** One line for the person at the terminal; the framework would add its own and a stack trace. */
function exitWith(error: unknown): never {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
