import { execFile } from "node:child_process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bundle } from "../support/bundle.ts";
import { useFunctions } from "../support/functions.ts";
import { useRedis } from "../support/redis.ts";

const run = promisify(execFile);

// A function reads its environment when it is loaded.
useFunctions(useRedis());

/** Whether a new process has Node's `fetch` loaded once it has the function. */
async function loadsFetch(source: string): Promise<boolean> {
  await using built = await bundle(`functions/${source}.ts`);
  const program = `await import("${pathToFileURL(built.path).href}");
    process.stdout.write(String(process.moduleLoadList.includes("NativeModule internal/deps/undici/undici")));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program]);
  return stdout === "true";
}

test.for(["create-order", "get-order", "complete-order", "drain-refunds", "sweep-orders"])(
  "%s loads Node's fetch while it is initialized, not while it handles its first event",
  async (source) => {
    expect(await loadsFetch(source)).toBe(true);
  },
);

test.for(["docs", "unknown-route"])("%s, which calls nobody, never loads it", async (source) => {
  expect(await loadsFetch(source)).toBe(false);
});
