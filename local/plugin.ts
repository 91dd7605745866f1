import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { stop as stopEsbuild } from "esbuild";
import { behaveLikeApiGateway, limitConcurrency } from "./api-front.ts";
import { banner } from "./banner.ts";
import { ownBuildFolder } from "./build-folder.ts";
import { allowedOrigins } from "./cors.ts";
import { localEnvironment, readOnlyEnvironment } from "./environment.ts";
import { offlineFront } from "./offline-front.ts";
import { guardServers, refuseForeignHosts, refuseForeignPages } from "./request-guard.ts";
import { readSettings, type Settings } from "./settings.ts";
import { MAX_CONCURRENT_CALLS, type Stack, startStack } from "./stack.ts";

/** The function that schedules invoke, the one that only reads, and the one that makes the stream of completed orders. */
const COMPLETE_ORDER = "completeOrder";
const GET_ORDER = "getOrder";
const SWEEP_ORDERS = "sweepOrders";

/** What the plugin uses of the Serverless Framework, whose package has no types. */
interface Serverless {
  readonly serviceDir: string;
  readonly processedInput: { readonly commands: readonly string[] };
  readonly service: {
    readonly custom: { readonly esbuild: object; readonly "serverless-offline": object };
    readonly provider: {
      environment?: Record<string, unknown>;
      readonly region: string;
      readonly httpApi: { readonly cors: unknown };
    };
    readonly functions: Record<string, { readonly name: string; environment?: Record<string, unknown> }>;
  };
  readonly pluginManager: { getPlugins(): readonly object[] };
}

/**
 * Runs the whole service on one machine: starts the local stack before serverless-offline, points the functions at it,
 * and says where everything is. Packaging and deploying get a build folder of their own and are else left untouched.
 */
export default class LocalStackPlugin {
  /** `serverless offline` fires the second hook, `serverless offline start` the third. */
  readonly hooks = {
    initialize: () => this.#beforeInvokeLocal(),
    "before:offline:start": () => this.#start(),
    "before:offline:start:init": () => this.#start(),
  };

  readonly #serverless: Serverless;
  readonly #command: string;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    this.#command = serverless.processedInput.commands.join(" ");
    // Here, because serverless-esbuild reads its options in a hook that runs before this plugin's.
    Object.assign(serverless.service.custom.esbuild, ownBuildFolder(serverless.serviceDir, this.#command));
  }

  async #start(): Promise<void> {
    try {
      const settings = readSettings(process.env);
      // In MB, for this thread and every worker. The default of 16 lets each worker keep up to 48 MB of short-lived objects.
      setFlagsFromString("--max-semi-space-size=2");
      const stack = await startStack(settings);
      Object.assign(this.#serverless.service.custom["serverless-offline"], offlinePorts(settings));
      this.#pointFunctionsAtStack(settings);
      guardOffline(settings);
      void this.#announce(settings, stack);
    } catch (error) {
      exitWith(error);
    }
  }

  /** In `initialize`, because the framework's own hooks of this command ask AWS what references stand for. */
  #beforeInvokeLocal(): void {
    if (this.#command !== "invoke local") return;
    const environment = this.#pointFunctionsAtStack(readSettings(process.env));
    Object.assign(process.env, environment);
  }

  #pointFunctionsAtStack(settings: Settings): Record<string, string> {
    const { provider, functions } = this.#serverless.service;
    const environment = localEnvironment(settings, provider.region, functions[COMPLETE_ORDER]?.name ?? COMPLETE_ORDER);
    // A function's own variables win over the provider's, and some are references that only CloudFormation resolves.
    for (const [name, definition] of Object.entries(functions)) {
      const own = name === GET_ORDER ? readOnlyEnvironment(settings) : {};
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
      const front = await offlineFront(pluginManager.getPlugins());
      behaveLikeApiGateway(front, allowedOrigins(service.provider.httpApi.cors));
      limitConcurrency(front, MAX_CONCURRENT_CALLS);
      await invokeOnce(settings, service.functions[SWEEP_ORDERS]?.name ?? SWEEP_ORDERS);
      await releaseStartupMemory();
      process.stdout.write(banner(settings, stack));
    } catch (error) {
      exitWith(error);
    }
  }
}

/**
 * The first sweep of a deployed stage runs within a minute, and makes the stream that consumers wait for. Here nobody waits
 * a minute. A sweep that fails has said so in its log, and the next one is due in a minute.
 */
async function invokeOnce({ ORDERS_LAMBDA_PORT }: Settings, functionName: string): Promise<void> {
  const url = `http://127.0.0.1:${ORDERS_LAMBDA_PORT}/2015-03-31/functions/${functionName}/invocations`;
  await fetch(url, { method: "POST", body: "{}" });
}

/**
 * Releases about 400 MB that only the start needs: esbuild's process, which starts again when a file changes
 * (its `stop`, in esbuild/lib/main.d.ts), and what loading the framework left on the heap.
 */
async function releaseStartupMemory(): Promise<void> {
  await stopEsbuild();
  setFlagsFromString("--expose-gc");
  const collectGarbage: unknown = runInNewContext("gc");
  if (typeof collectGarbage === "function") collectGarbage({ type: "major", flavor: "last-resort" });
}

/** Here and not in serverless.yml: there an empty variable would count as set. */
function offlinePorts(settings: Settings) {
  return { httpPort: settings.ORDERS_API_PORT, lambdaPort: settings.ORDERS_LAMBDA_PORT };
}

/**
 * Before serverless-offline starts its servers. Pages of other origins reach the API as they reach it on AWS: whether they
 * may read replies is a matter of CORS, and what changes anything is JSON, for which browsers ask first.
 */
function guardOffline({ ORDERS_API_PORT }: Settings): void {
  guardServers((port) => (port === ORDERS_API_PORT ? refuseForeignHosts : refuseForeignPages));
}

/** One line for the person at the terminal; the framework would add its own and a stack trace. */
function exitWith(error: unknown): never {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
