import { once } from "node:events";
import { createServer } from "node:net";

/** Between finding a free port and Redis taking it another process may be faster: then the next one is tried. */
const FREE_PORTS_TRIED = 5;

export class PortTaken extends Error {
  override readonly name = "PortTaken";
}

/** The wanted port alone, or else a few free ones. */
export async function* portsToTry(wanted?: number): AsyncGenerator<number> {
  if (wanted !== undefined) {
    yield wanted;
    return;
  }
  for (let tried = 0; tried < FREE_PORTS_TRIED; tried += 1) yield await freePort();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("The system gave no TCP port");
  return address.port;
}
