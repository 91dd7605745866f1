import { once } from "node:events";
import { createServer } from "node:net";

export interface WantedPort {
  readonly port: number;
  /** What will listen there, in the words of the README. */
  readonly what: string;
  /** The environment variable that moves it. */
  readonly variable: string;
}

/**
 * Makes sure that every port can be listened on at 127.0.0.1, so that a taken one is told before anything starts.
 * @throws Error in one line that names the port and the variable, and says when it is this very service that runs there
 */
export async function assertPortsFree(wanted: readonly WantedPort[]): Promise<void> {
  for (const [index, { port, what, variable }] of wanted.entries()) {
    const other = wanted.slice(0, index).find((earlier) => earlier.port === port);
    if (other)
      throw new Error(`Port ${port} is given to both ${other.variable} and ${variable}: set one to another port`);
    if (await isFree(port)) continue;
    const holder = (await isOrderService(port)) ? "an order service that already runs" : "another program";
    throw new Error(`Port ${port} (${what}) is taken by ${holder}: stop it, or set ${variable} to another port`);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    // Taken (EADDRINUSE) or not ours to take (EACCES): the message is the same.
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

async function isOrderService(port: number): Promise<boolean> {
  try {
    const reply = await fetch(`http://127.0.0.1:${port}/openapi.yaml`, { signal: AbortSignal.timeout(2_000) });
    return reply.ok && (await reply.text()).includes("title: Order service");
  } catch {
    // Whatever listens there does not speak HTTP, or not in time: it is not this service.
    return false;
  }
}
