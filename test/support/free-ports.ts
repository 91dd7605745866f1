import { once } from "node:events";
import { createServer } from "node:net";

/** A free port of the loopback interface for each variable, as an environment; they stay free until someone takes them. */
export async function freePorts(...variables: string[]): Promise<Record<string, string>> {
  const servers = variables.map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return String(address.port);
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return Object.fromEntries(variables.map((variable, index) => [variable, ports[index] ?? ""]));
}
