import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startUpstashGateway } from "upstash-rest-gateway";
import { expect, test } from "vitest";
import { newPk } from "../support/orders.ts";
import { addRequest } from "../support/refunds.ts";
import { runScript } from "../support/run.ts";
import { useStore } from "../support/store.ts";
import { bury, COMMAND, databaseEnv, deadRefunds, drain, entries, refused } from "./dead-refunds.ts";

const SEQUENCES_OF_A_TERMINAL = /\p{Cc}(?<!\n)|\p{Cf}/u;

const store = useStore();

test("a letter is shown with its id, reason, time, first id and fields, and the reasons are counted", async () => {
  const pk = newPk();
  const first = await addRequest(store.client, ["pk", pk, "reason", "arrived broken"]);
  await drain(store);
  await refused(store, ["note", "by hand"]);
  const [letter, other] = await entries(store.client, "refund_order:dead");

  const { code, stdout, stderr } = await deadRefunds(store, "list");

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual([
    `${letter?.id}  unknown_order  ${letter?.fields[5]}  first id ${first}`,
    `    pk      ${pk}`,
    "    reason  arrived broken",
    "",
    expect.stringContaining(`${other?.id}  missing_pk  `),
    "    note  by hand",
    "",
    "2 dead letters: 1 missing_pk, 1 unknown_order",
    "",
  ]);
});

test("where there is none, it says so", async () => {
  expect(await deadRefunds(store, "list")).toEqual({ code: 0, stdout: "There are no dead letters\n", stderr: "" });
});

test("whatever a value holds, it is shown in one harmless line", async () => {
  const values: [string | Buffer, string][] = [
    ["Größe 大 😀", "Größe 大 😀"],
    [Buffer.from([0xff, 0x00, 0x41, 0xc3]), "\\xff\\x00A\\xc3"],
    ["\u001b[2J\r\n\u202e\u0085", "\\x1b[2J\\x0d\\x0a\\xe2\\x80\\xae\\xc2\\x85"],
    ["a\\x41", "a\\\\x41"],
    ["x".repeat(3_000), `${"x".repeat(120)}… (3,000 bytes)`],
    ["", ""],
  ];
  await refused(
    store,
    values.flatMap(([value], at) => [`note-${at}`, value]),
  );

  const { stdout } = await deadRefunds(store, "list");

  const lines = stdout.split("\n").slice(1, 1 + values.length);
  expect(lines).toEqual(values.map(([, shown], at) => `    note-${at}  ${shown}`.trimEnd()));
  expect(stdout).not.toMatch(SEQUENCES_OF_A_TERMINAL);
});

test("of many fields the first are shown, and how many more there are", async () => {
  await refused(store, Array.from({ length: 300 }, (_, n) => [`f${n}`, `v${n}`]).flat());

  const { stdout } = await deadRefunds(store, "list");

  expect(stdout).toContain("    f19  v19\n    … and 280 more fields\n");
});

test("5,000 letters are listed each once, in their order", async () => {
  const ids = await bury(store.client, 5_000);

  const { stdout } = await deadRefunds(store, "list");

  expect([...stdout.matchAll(/^\d+-\d+/gm)].map(String)).toEqual(ids);
  expect(stdout).toContain("\n5,000 dead letters: 5,000 unknown_order\n");
});

test("a token that may only read can list, and cannot put back", async () => {
  const [letter = ""] = await bury(store.client, 1);
  const gateway = await startUpstashGateway({ redisUrl: await redisUrl(), readOnlyToken: "reader" });
  const env = { ...databaseEnv(store, "reader"), UPSTASH_REDIS_REST_URL: gateway.url };

  const listed = await runScript(COMMAND, ["list"], env);
  const replayed = await runScript(COMMAND, ["replay", letter], env);
  await gateway.stop();

  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(replayed.code).toBe(1);
  expect(replayed.stderr).toMatch(/^The token may only read at http:\S+: set UPSTASH_REDIS_REST_URL and .+\n$/);
  expect(replayed.stderr).not.toContain(letter);
});

test("a reader that goes away early is no failure", async () => {
  await bury(store.client, 5_000);
  const child = spawn(process.execPath, [join(import.meta.dirname, "../..", COMMAND), "list"], {
    env: databaseEnv(store),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.stdout.destroy();

  expect(await once(child, "exit")).toEqual([0, null]);
});

async function redisUrl(): Promise<string> {
  return `redis://127.0.0.1:${/tcp_port:(\d+)/.exec(await store.client.info("server"))?.[1]}`;
}
