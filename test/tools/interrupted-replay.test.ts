import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type HttpFront, startHttpFront } from "../support/http-front.ts";
import { runScript } from "../support/run.ts";
import { useStore } from "../support/store.ts";
import { bury, COMMAND, databaseEnv, deadRefunds, entries } from "./dead-refunds.ts";

const COUNT = 1_000;
const PKS = Array.from({ length: COUNT }, (_, n) => `order-${n}`);

const store = useStore();

async function pksOn(stream: string): Promise<string[]> {
  return (await entries(store.client, stream)).map(({ fields }) => String(fields.at(-1)));
}

const byNumber = (pks: readonly string[]) => [...pks].sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)));

/** A server before the gateway, for as long as the test runs. */
async function front(): Promise<{ readonly server: HttpFront; readonly env: NodeJS.ProcessEnv }> {
  const server = await startHttpFront(store.url);
  onTestFinished(() => server.stop());
  return { server, env: { ...databaseEnv(store), UPSTASH_REDIS_REST_URL: server.url } };
}

test("killed in the middle, it has lost and doubled nothing, and a second run puts back the rest", async () => {
  await bury(store.client, COUNT);
  const child = spawn(process.execPath, [join(import.meta.dirname, "../..", COMMAND), "replay", "--all"], {
    env: databaseEnv(store),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");

  const [back, dead] = [await pksOn("refund_order"), await pksOn("refund_order:dead")];
  expect(back.length).toBeGreaterThan(0);
  expect(dead.length).toBeGreaterThan(0);
  expect(byNumber([...back, ...dead])).toEqual(PKS);

  const { code } = await deadRefunds(store, "replay", "--all");

  expect(code).toBe(0);
  expect(await pksOn("refund_order")).toEqual(PKS);
  expect(await pksOn("refund_order:dead")).toEqual([]);
});

test("killed between Redis and the reply, each letter of its batch was put back, once", async () => {
  await bury(store.client, 10);
  const { server, env } = await front();
  const child = spawn(process.execPath, [join(import.meta.dirname, "../..", COMMAND), "replay", "--all"], {
    env,
    stdio: "inherit",
  });
  server.answerWith(async (response, forward) => {
    const { status, headers, content } = await forward();
    if ((await store.client.xLen("refund_order")) > 0) child.kill("SIGKILL");
    else response.writeHead(status, headers).end(content);
  });
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");

  await deadRefunds(store, "replay", "--all");

  expect(byNumber(await pksOn("refund_order"))).toEqual(PKS.slice(0, 10));
  expect(await pksOn("refund_order:dead")).toEqual([]);
});

test.for(["--all", "by id"])("two runs at once put back each letter once: %s", async (how) => {
  const ids = await bury(store.client, COUNT);
  const args = how === "--all" ? ["--all"] : ids;

  const runs = await Promise.all([deadRefunds(store, "replay", ...args), deadRefunds(store, "replay", ...args)]);

  // Who looked up an id after the other had put it back does not know it.
  for (const { code, stderr } of runs) expect(code).toBe(stderr === "" ? 0 : 1);
  const counts = runs.map(({ stdout }) => /^Put back ([\d,]+) dead/m.exec(stdout)?.[1]?.replace(",", ""));
  expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(COUNT);
  expect(byNumber(await pksOn("refund_order"))).toEqual(PKS);
  expect(await pksOn("refund_order:dead")).toEqual([]);
});

test("a lost reply is asked for again: the letters are put back once, and no id is called unknown", async () => {
  const [cachesScripts = "", letter = ""] = await bury(store.client, 2);
  await deadRefunds(store, "replay", cachesScripts);
  const { server, env } = await front();
  let lost = 0;
  server.answerWith(async (response, forward) => {
    const { status, headers, content } = await forward();
    if (lost === 0 && (await store.client.xLen("refund_order")) > 1) {
      lost += 1;
      response.destroy();
    } else response.writeHead(status, headers).end(content);
  });

  const { code, stdout, stderr } = await runScript(COMMAND, ["replay", letter], env);

  expect({ code, stderr, lost }).toEqual({ code: 0, stderr: "", lost: 1 });
  expect(stdout).toContain("1 dead letter had been put back or dropped meanwhile");
  expect(await store.client.xLen("refund_order")).toBe(2);
});
