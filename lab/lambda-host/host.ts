import pLimit from "p-limit";
import { declaredFunctions } from "../../infra/serverless-yml.ts";
import type { Bundles } from "./bundles.ts";
import { failure, type Instance, startInstance } from "./instance.ts";
import type { Outcome } from "./outcome.ts";

const DEFAULT_ROUTE = "$default";

interface LambdaHostOptions {
  readonly bundles: Pick<Bundles, "paths" | "runtime">;
  /** Instances at once, of each function; further events wait for their turn, where Lambda would refuse them (429). */
  readonly concurrency: (functionName: string) => number;
  /** Each function's time-out, in ms. */
  readonly timeoutMs: (functionName: string) => number;
  /** Each function's memory, in MB: V8 collects garbage by it, as on Lambda. Default: by the memory of the machine. */
  readonly memoryMb?: (functionName: string) => number;
  /** What a new instance finds in its environment. */
  readonly environment: (functionName: string, instanceId: string) => Promise<Readonly<Record<string, string>>>;
  /** Gets every line that a function logs. Default: none. */
  readonly onLine?: (line: string, functionName: string, instanceId: string) => void;
  /** Called when an instance has ended, however. */
  readonly onExit?: (instanceId: string) => void;
}

export type LambdaHost = Awaited<ReturnType<typeof createLambdaHost>>;

/** How an invocation ended, and in which instance; in none when the function was stopped before. */
export type HostOutcome = Outcome & { readonly instanceId?: string };

/** Lambda on one machine: the built functions, each instance a process of its own. */
export async function createLambdaHost(options: LambdaHostOptions) {
  const pools = new Map(Object.keys(options.bundles.paths).map((name) => [name, createPool(name, options)]));

  function pool(name: string) {
    const found = pools.get(name);
    if (!found) throw new Error(`There is no function ${name}`);
    return found;
  }

  return {
    /** Finds the route of a request. */
    route: createRouter(),
    /** @throws Error when there is no such function */
    invoke: (functionName: string, event: unknown) => pool(functionName).invoke(event),
    has: (functionName: string) => pools.has(functionName),
    find: (instanceId: string) => pools.get(instanceId.replace(/-\d+$/, ""))?.instances.get(instanceId),
    /** Ends a function's instances: its next events are handled by new ones. */
    recycle: (functionName: string) => pool(functionName).recycle(),
    async stop(): Promise<void> {
      await Promise.all([...pools.values()].map(({ stop }) => stop()));
    },
  };
}

/** A function with its instances: made when needed, used again while they live, each for one event at a time. */
function createPool(name: string, options: LambdaHostOptions) {
  const { bundles, concurrency, timeoutMs, memoryMb, environment, onLine, onExit } = options;
  const limit = pLimit(concurrency(name));
  const instances = new Map<string, Instance>();
  const idle: [id: string, Instance][] = [];
  let started = 0;
  let stopped = false;

  async function start(): Promise<[id: string, Instance]> {
    const id = `${name}-${++started}`;
    const instance = startInstance({
      functionName: name,
      runtimePath: bundles.runtime,
      bundlePath: bundles.paths[name] ?? "",
      environment: await environment(name, id),
      timeoutMs: timeoutMs(name),
      memoryMb: memoryMb?.(name),
      onLine: (line) => onLine?.(line, name, id),
    });
    instances.set(id, instance);
    if (stopped) instance.kill();
    void instance.exited.then(() => {
      instances.delete(id);
      onExit?.(id);
    });
    return [id, instance];
  }

  async function take(): Promise<[id: string, Instance]> {
    for (let one = idle.pop(); one; one = idle.pop()) if (one[1].alive) return one;
    return start();
  }

  async function handle(event: unknown): Promise<HostOutcome> {
    if (stopped) return failure("ServiceException", `${name} was stopped`);
    const [instanceId, instance] = await take();
    const outcome = await instance.invoke(event);
    // After an error that the handler threw it is as good as before.
    if (instance.alive) idle.push([instanceId, instance]);
    return { ...outcome, instanceId };
  }

  async function recycle(): Promise<void> {
    const ending = [...instances.values()];
    for (const instance of ending) instance.kill();
    await Promise.all(ending.map(({ exited }) => exited));
  }

  return {
    instances,
    invoke: (event: unknown) => limit(() => handle(event)),
    recycle,
    /** Ends every instance, and the events that they handle. */
    stop(): Promise<void> {
      stopped = true;
      return recycle();
    },
  };
}

/** The routes as serverless.yml names them; `*` is what no other route takes. */
function createRouter() {
  const routes = Object.entries(declaredFunctions).flatMap(([functionName, { events }]) =>
    events.flatMap((event) => ("httpApi" in event ? [routeOf(functionName, event.httpApi)] : [])),
  );
  routes.sort((a, b) => Number(a.routeKey === DEFAULT_ROUTE) - Number(b.routeKey === DEFAULT_ROUTE));
  return (method: string, path: string) => {
    for (const { functionName, routeKey, pattern } of routes) {
      const match = pattern.exec(`${method} ${path}`);
      if (!match) continue;
      const parameters = Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
      return { functionName, routeKey, pathParameters: Object.fromEntries(parameters) as Record<string, string> };
    }
    return undefined;
  };
}

function routeOf(functionName: string, httpApi: string) {
  if (httpApi === "*") return { functionName, routeKey: DEFAULT_ROUTE, pattern: /^/ };
  const template = httpApi.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)");
  return { functionName, routeKey: httpApi, pattern: new RegExp(`^${template}$`) };
}
