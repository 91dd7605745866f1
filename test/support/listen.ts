import { once } from "node:events";
import type { Server } from "node:net";

/** Has `server` listen on a free port of the loopback interface, and returns its `http:` address. */
export async function listen(server: Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("The server listens on no port");
  return `http://127.0.0.1:${address.port}`;
}
