import { once } from "node:events";
import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { fetchDocumented } from "../support/contract.ts";
import { type Offline, startOffline } from "../support/offline.ts";

const ORDER = JSON.stringify({ id: "tea-green", quantity: 2 });

/** `npm start`, for as long as the test runs. */
export async function running(extra: NodeJS.ProcessEnv = {}): Promise<Offline> {
  const service = await startOffline(extra);
  onTestFinished(async () => {
    await service.stop();
  });
  return service;
}

export function place(service: Offline): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetchDocumented(`${service.api}/orders`, { method: "POST", headers, body: ORDER });
}

/** Whether anyone takes a connection there: a process id would also tell of one that is dead and not yet collected. */
export async function listens(port: string | undefined): Promise<boolean> {
  const socket = connect(Number(port), "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
