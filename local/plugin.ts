import { setTimeout as wait } from "node:timers/promises";
import { type ApiFront, behaveLikeApiGateway } from "./api-front.ts";
import { banner } from "./banner.ts";
import { readSettings, type Settings } from "./settings.ts";
import { localEnvironment, type Stack, startStack } from "./stack.ts";

/** The function that schedules invoke. */
const COMPLETE_ORDER = "completeOrder";

/** What the plugin uses of the Serverless Framework, whose package has no types. */
interface Serverless {
  readonly service: {
    readonly provider: { environment?: Record<string, unknown>; readonly region: string };
    readonly functions: Record<string, { readonly name: string; environment?: Record<string, unknown> }>;
  };
  readonly pluginManager: { getPlugins(): readonly object[] };
}

/** What it uses of serverless-offline: the HTTP server of the API, once it is there. */
interface ServerlessOffline {
  internals(): { getApiGatewayServer(): ApiFront };
}

/**
 * Runs the whole service on one machine: starts the local stack before serverless-offline, points the functions at it,
 * and says where everything is. Packaging and deploying are left untouched.
 */
export default class LocalStackPlugin {
  /** `serverless offline` fires the first hook, `serverless offline start` the second. */
  readonly hooks = {
    "before:offline:start": () => this.#start(),
    "before:offline:start:init": () => this.#start(),
    "before:invoke:local:invoke": () => this.#pointFunctionsAtStack(readSettings(process.env)),
  };

  readonly #serverless: Serverless;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
  }

  async #start(): Promise<void> {
    try {
      const settings = readSettings(process.env);
      const stack = await startStack(settings);
      this.#pointFunctionsAtStack(settings);
      void this.#announce(settings, stack);
    } catch (error) {
      // One line for the person at the terminal; the framework would add its own and a stack trace.
      process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    }
  }

  #pointFunctionsAtStack(settings: Settings): void {
    const { provider, functions } = this.#serverless.service;
    const environment = localEnvironment(settings, provider.region, functions[COMPLETE_ORDER]?.name ?? COMPLETE_ORDER);
    // A function's own variables win over the provider's, and some are references that only CloudFormation resolves.
    for (const definition of Object.values(functions)) {
      definition.environment = { ...definition.environment, ...environment };
    }
    provider.environment = { ...provider.environment, ...environment };
    // A profile would add its own region and credentials to those given here.
    delete process.env.AWS_PROFILE;
  }

  async #announce(settings: Settings, stack: Stack): Promise<void> {
    const front = await this.#apiFront();
    behaveLikeApiGateway(front);
    process.stdout.write(banner(settings, stack));
  }

  /** serverless-offline has no hook between starting its servers and waiting for a signal, so this looks every moment. */
  async #apiFront(): Promise<ApiFront> {
    const offline = this.#serverless.pluginManager.getPlugins().find(isServerlessOffline);
    for (;;) {
      const front = offline && startedFront(offline);
      if (front) return front;
      await wait(20);
    }
  }
}

function isServerlessOffline(plugin: object): plugin is ServerlessOffline {
  return "internals" in plugin && typeof plugin.internals === "function";
}

function startedFront(offline: ServerlessOffline): ApiFront | undefined {
  try {
    const front = offline.internals().getApiGatewayServer();
    return front.info.started > 0 ? front : undefined;
  } catch {
    // It throws until it has made its server.
    return undefined;
  }
}
