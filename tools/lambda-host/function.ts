import pLimit from "p-limit";
import { type Instance, type InstanceOptions, type Outcome, startInstance } from "./instance.ts";

export interface LambdaFunctionOptions
  extends Pick<InstanceOptions, "runtimePath" | "bundlePath" | "timeoutMs" | "memoryMb"> {
  readonly name: string;
  /** Instances at once; further events wait for their turn, where Lambda would refuse them (429). */
  readonly concurrency: number;
  /** What a new instance finds in its environment. */
  readonly environment: (instanceId: string) => Promise<Readonly<Record<string, string>>>;
  readonly onExit: (instanceId: string) => void;
  readonly onLine: (line: string, instanceId: string) => void;
  /** Told how each invocation ended, before its instance handles another event. */
  readonly onOutcome?: ((outcome: Outcome, instanceId: string) => void) | undefined;
}

/** A function with its instances: made when needed, used again while they live, each for one event at a time. */
export interface LambdaFunction {
  invoke(event: unknown): Promise<Outcome>;
  find(instanceId: string): Instance | undefined;
  /** Ends every instance: the next events are handled by new ones. */
  recycle(): Promise<void>;
  /** Ends every instance, and the events that they handle. */
  stop(): Promise<void>;
}

export function createFunction(options: LambdaFunctionOptions): LambdaFunction {
  const limit = pLimit(options.concurrency);
  const instances = new Map<string, Instance>();
  const idle: Instance[] = [];
  let made = 0;
  let stopped = false;

  async function start(): Promise<Instance> {
    const id = `${options.name}-${++made}`;
    const instance = startInstance({
      ...options,
      id,
      functionName: options.name,
      environment: await options.environment(id),
      onLine: (line) => options.onLine(line, id),
    });
    instances.set(id, instance);
    if (stopped) instance.kill();
    void instance.exited.then(() => {
      instances.delete(id);
      options.onExit(id);
    });
    return instance;
  }

  async function take(): Promise<Instance> {
    for (let instance = idle.pop(); instance; instance = idle.pop()) if (instance.alive) return instance;
    return start();
  }

  async function handle(event: unknown): Promise<Outcome> {
    if (stopped) return { ok: false, errorType: "ServiceException", errorMessage: `${options.name} was stopped` };
    const instance = await take();
    const outcome = await instance.invoke(event);
    options.onOutcome?.(outcome, instance.id);
    // After a time-out it is dying; after an error that the handler threw it is as good as before.
    if (instance.alive && (outcome.ok || outcome.errorType !== "Sandbox.Timedout")) idle.push(instance);
    return outcome;
  }

  async function recycle(): Promise<void> {
    const ending = [...instances.values()];
    for (const instance of ending) instance.kill();
    await Promise.all(ending.map(({ exited }) => exited));
  }

  function stop(): Promise<void> {
    stopped = true;
    return recycle();
  }

  return { invoke: (event) => limit(() => handle(event)), find: (id) => instances.get(id), recycle, stop };
}
