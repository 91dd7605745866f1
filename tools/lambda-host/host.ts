import { readServerlessYml, type ServerlessYml } from "../../test/support/bundle.ts";
import type { Bundles } from "./bundles.ts";
import { createFunction, type LambdaFunction } from "./function.ts";
import type { Instance, Outcome } from "./instance.ts";

const DEFAULT_ROUTE = "$default";

interface Route {
  readonly functionName: string;
  /** `GET /orders/{pk}`, or `$default`. */
  readonly routeKey: string;
  readonly pathParameters: Readonly<Record<string, string>>;
}

/** Finds the route of a request. */
export type Router = (method: string, path: string) => Route | undefined;

export interface LambdaHostOptions {
  readonly bundles: Pick<Bundles, "paths" | "runtime">;
  /** Instances at once, of each function. */
  readonly concurrency: (functionName: string) => number;
  /** Each function's time-out, in ms. */
  readonly timeoutMs: (functionName: string) => number;
  /** Each function's memory, in MB; see `InstanceOptions`. */
  readonly memoryMb?: (functionName: string) => number;
  /** What a new instance finds in its environment. */
  readonly environment: (functionName: string, instanceId: string) => Promise<Readonly<Record<string, string>>>;
  /** Gets every line that a function logs. Default: none. */
  readonly onLine?: (line: string, functionName: string, instanceId: string) => void;
  /** Told how each invocation ended, before its instance handles another event. */
  readonly onOutcome?: (outcome: Outcome, instanceId: string) => void;
  /** Told when an instance has ended, however. */
  readonly onExit?: (instanceId: string) => void;
}

/** Lambda on one machine: the built functions, each instance a process of its own. */
export interface LambdaHost {
  readonly route: Router;
  /** @throws Error when there is no such function */
  invoke(functionName: string, event: unknown): Promise<Outcome>;
  has(functionName: string): boolean;
  find(instanceId: string): Instance | undefined;
  /** Ends a function's instances: its next events are handled by new ones. */
  recycle(functionName: string): Promise<void>;
  stop(): Promise<void>;
}

export async function createLambdaHost(options: LambdaHostOptions): Promise<LambdaHost> {
  const { functions } = await readServerlessYml();
  const { paths, runtime } = options.bundles;
  const pools = new Map(Object.entries(paths).map(([name, path]) => [name, pool(name, path)]));

  function pool(name: string, bundlePath: string): LambdaFunction {
    return createFunction({
      name,
      runtimePath: runtime,
      bundlePath,
      timeoutMs: options.timeoutMs(name),
      concurrency: options.concurrency(name),
      memoryMb: options.memoryMb?.(name),
      environment: (instanceId) => options.environment(name, instanceId),
      onExit: (instanceId) => options.onExit?.(instanceId),
      onOutcome: options.onOutcome,
      onLine: (line, instanceId) => options.onLine?.(line, name, instanceId),
    });
  }

  function named(name: string): LambdaFunction {
    const found = pools.get(name);
    if (!found) throw new Error(`There is no function ${name}`);
    return found;
  }

  return {
    route: createRouter(functions),
    invoke: (name, event) => named(name).invoke(event),
    has: (name) => pools.has(name),
    find: (instanceId) => pools.get(instanceId.replace(/-\d+$/, ""))?.find(instanceId),
    recycle: (name) => named(name).recycle(),
    async stop() {
      await Promise.all([...pools.values()].map((lambda) => lambda.stop()));
    },
  };
}

/** The routes as serverless.yml names them; `*` is what no other route takes. */
function createRouter(functions: ServerlessYml["functions"]): Router {
  const routes = Object.entries(functions).flatMap(([functionName, { events }]) =>
    events.flatMap((event) => ("httpApi" in event ? [routeOf(functionName, event.httpApi)] : [])),
  );
  routes.sort((a, b) => Number(a.routeKey === DEFAULT_ROUTE) - Number(b.routeKey === DEFAULT_ROUTE));
  return (method, path) => {
    for (const { functionName, routeKey, pattern, wanted } of routes) {
      const match = wanted === undefined || wanted === method ? pattern.exec(path) : null;
      if (match) return { functionName, routeKey, pathParameters: decoded(match.groups ?? {}) };
    }
    return undefined;
  };
}

function routeOf(functionName: string, httpApi: string) {
  if (httpApi === "*") return { functionName, routeKey: DEFAULT_ROUTE, wanted: undefined, pattern: /^/ };
  const [wanted = "", template = ""] = httpApi.split(" ");
  const pattern = new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
  return { functionName, routeKey: httpApi, wanted, pattern };
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
}
