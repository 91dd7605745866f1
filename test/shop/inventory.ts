import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pythonWithRedis, thisDebian } from "../support/programs.ts";

const PROGRAM = join(import.meta.dirname, "inventory.py");

export interface Inventory {
  /** Where it serves products. */
  readonly url: string;
  /**
   * Kills it, as a machine does that loses its power.
   * @throws Error with what it wrote, when it had ended by itself: it never should
   */
  stop(): Promise<void>;
}

/** Finds what the inventory runs with; `pythonWithRedis` says what happens where it is missing, which may take minutes. */
export function inventoryPython(): Promise<string> {
  const machine = { ...thisDebian(), named: process.env.ORDERS_TEST_PYTHON };
  return pythonWithRedis((line) => process.stderr.write(`${line}\n`), machine);
}

/**
 * Resolves when it serves products.
 * @param redisUrl of the Redis whose streams it reads and writes
 * @param port where it serves products; 0 is any free one
 * @throws Error with what it wrote, when it ends before that
 */
export async function startInventory(redisUrl: string, port = 0): Promise<Inventory> {
  const python = await inventoryPython();
  const env = { ...process.env, REDIS_URL: redisUrl, INVENTORY_PORT: String(port) };
  const child = spawn(python, [PROGRAM], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const exited = once(child, "close");
  const [line = ""] = await Promise.race([once(createInterface(child.stdout), "line"), exited.then(() => [])]);
  const url = /^Inventory: (\S+)$/.exec(line)?.[1];
  if (url === undefined) throw new Error(`The inventory did not start:\n${output}`);
  return {
    url,
    async stop() {
      const running = child.kill("SIGKILL");
      await exited;
      if (!running) throw new Error(`The inventory ended by itself:\n${output}`);
    },
  };
}
