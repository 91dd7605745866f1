import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { RESP_TYPES } from "@redis/client";
import { startUpstashGateway } from "upstash-rest-gateway";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import * as z from "zod";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { readOptions, run } from "../../tools/dead-letters/command.ts";
import { drop } from "../../tools/dead-letters/dead-letters.ts";
import { startHttpFront } from "../support/http-front.ts";
import { newPk, statusOf, storeOrder } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";
import { addRequest } from "../support/refunds.ts";
import { type Ran, runScript } from "../support/run.ts";
import { useStore } from "../support/store.ts";

const DATABASE = () => `Database: ${store.url}\n`;
const COMMAND = "tools/dead-letters/command.ts";

/** Only root could listen on it, and no system serves HTTP there. */
const CLOSED_PORT = "1";

const TERMINAL_SEQUENCES = /\p{Cc}(?<!\n)|\p{Cf}/u;
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const COUNT = 1_000;
const PKS = Array.from({ length: COUNT }, (_, n) => `order-${n}`);

type Fields = readonly (string | Buffer)[];
/** In the order that Redis has them. */
const Entries = z.array(
  z
    .tuple([z.instanceof(Buffer), z.array(z.instanceof(Buffer))])
    .transform(([id, fields]) => ({ id: String(id), fields })),
);

const store = useStore();
const redis = useRedis();

/** What the command in this process has printed in the running test. */
const printed = { stdout: "", stderr: "" };

beforeEach(() => {
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      printed[name] += String(chunk);
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("usage", () => {
  test.for<[args: string[], reason: string, env?: NodeJS.ProcessEnv]>([
    [[], "No command is given"],
    [["bury"], "There is no command bury"],
    [["list", "1-1"], "list takes no ids, --reason or --all"],
    [["list", "--all"], "list takes no ids, --reason or --all"],
    [["replay", "--all", "1-1"], "replay takes ids, --reason or --all, and only one of them"],
    [["drop", "--yes", "--all", "--reason", "missing_pk"], "drop takes ids, --reason or --all, and only one of them"],
    [["replay", "--yes", "1-1"], "--yes is for drop"],
    [["replay", "-", "1-1"], '"-" is not the id of a dead letter'],
    [["replay", "01-1"], '"01-1" is not the id of a dead letter'],
    [["replay", "18446744073709551616-0"], '"18446744073709551616-0" is not the id of a dead letter'],
    [["drop", "--yes"], "No ids are given: list shows them"],
    [["drop", "-"], "which needs a terminal. Add --yes to delete without asking"],
    [["drop", "1-1"], "which needs a terminal. Add --yes to delete without asking"],
    [["list"], "No database is given. Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or add --local", {}],
    [["list"], "Set both UPSTASH_REDIS_REST_URL and UPSTASH", { UPSTASH_REDIS_REST_URL: "https://example.com" }],
  ])("%j is wrong usage: %s", ([args, reason, env = databaseEnv()]) => {
    expect(() => readOptions(args, env)).toThrow(reason);
  });

  test("--local is the database of npm start with its token; what is wrong there is said in one line", async () => {
    const remedy = "set UPSTASH_REDIS_REST_URL and .+";
    const { port } = new URL(store.url);

    await expect(run(readOptions(["list", "--local"], { ORDERS_UPSTASH_PORT: CLOSED_PORT }))).rejects.toThrow(
      new RegExp(`^Cannot use Redis at http://127\\.0\\.0\\.1:1 \\(.+\\): ${remedy}$`),
    );
    await expect(
      run(readOptions(["list", "--local"], { ...databaseEnv(), ORDERS_UPSTASH_PORT: port })),
    ).rejects.toThrow(new RegExp(`^The token is refused at http:\\S+: ${remedy}$`));
  });
});

describe("list", () => {
  test("a letter is shown with its id, reason, time, first id and fields, the reasons are counted, and an empty list says so", async () => {
    expect(await deadLetters("list")).toEqual({ code: 0, stdout: "There are no such dead letters\n", stderr: "" });

    const pk = newPk();
    const first = await addRequest(store.client, ["pk", pk, "reason", "arrived broken"]);
    await drain();
    await refused(["note", "by hand"]);
    const [letter, other] = await entries("refund_order:dead");

    const { code, stdout, stderr } = await deadLetters("list");

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "2 dead letters: 1 missing_pk, 1 unknown_order",
      `${letter?.id}  unknown_order  ${letter?.fields[5]}  first id ${first}`,
      `    pk      ${pk}`,
      "    reason  arrived broken",
      "",
      expect.stringContaining(`${other?.id}  missing_pk  `),
      "    note  by hand",
      "",
      "",
    ]);
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
    await refused(values.flatMap(([value], at) => [`note-${at}`, value]));

    const { stdout } = await deadLetters("list");

    const lines = stdout.split("\n").slice(2, 2 + values.length);
    expect(lines).toEqual(values.map(([, shown], at) => `    note-${at}  ${shown}`.trimEnd()));
    expect(stdout).not.toMatch(TERMINAL_SEQUENCES);
  });

  test("of many fields the first are shown, and how many more there are", async () => {
    await refused(Array.from({ length: 300 }, (_, n) => [`f${n}`, `v${n}`]).flat());

    const { stdout } = await deadLetters("list");

    expect(stdout).toContain("    f19  v19\n    … and 280 more fields\n");
  });

  test("a token that may only read can list, and cannot put back", async () => {
    const [letter = ""] = await writeDeadLetters(1);
    const gateway = await startUpstashGateway({ redisUrl: redis.url, readOnlyToken: "reader" });
    onTestFinished(() => gateway.stop());
    const env = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: "reader" };

    expect((await run(readOptions(["list"], env))).exitCode).toBe(0);
    await expect(run(readOptions(["replay", letter], env))).rejects.toThrow(
      /^The token may only read at http:\S+: set UPSTASH_REDIS_REST_URL and [^0-9]+$/,
    );
  });

  test("a reader that goes away early is no failure", async () => {
    await writeDeadLetters(5_000);
    const child = startCommand("list");
    await once(child.stdout, "data");
    child.stdout.destroy();

    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describe("replay", () => {
  test("a request for an order that appears later is put back, and the order is refunded", async () => {
    const pk = newPk();
    const letter = await refused(["pk", pk, "reason", "arrived broken"]);
    await storeOrder(store.client, "completed", pk);

    const { code, stdout, stderr } = await deadLetters("replay", letter);
    await drain();

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe("1 dead letter: 1 unknown_order\nPut back 1 dead letter on refund_order\n");
    expect(await statusOf(store.client, pk)).toBe("refunded");
    expect(await entries("refund_order")).toEqual([]);
    expect(await entries("refund_order:dead")).toEqual([]);
  });

  test("requests are put back as they were, byte by byte, each behind its first id", async () => {
    const requests: (string | Buffer)[][] = [
      ["pk", ALL_BYTES, ALL_BYTES, ALL_BYTES],
      ["pk", Buffer.alloc(4_000, ALL_BYTES)],
      ["dead_reason", "mine", "dead_id", "mine", "dead_at", "mine"],
      ["dead_truncated", "mine"],
      ["", ""],
    ];
    const ids = await Promise.all(requests.map((fields) => addRequest(store.client, fields)));
    await drain();

    const { code } = await deadLetters("replay", "--all");

    expect(code).toBe(0);
    const back = await entries("refund_order");
    expect(back.map(({ fields }) => fields)).toEqual(
      requests.map((fields, at) => ["dead_id", ids[at] ?? "", ...fields].map((value) => Buffer.from(value))),
    );
    expect(await entries("refund_order:dead")).toEqual([]);
  });

  test("an id that is not there is named and ends with 1; the others are put back", async () => {
    const [letter = ""] = await writeDeadLetters(1);

    const { code, stdout, stderr } = await deadLetters("replay", "1-1", letter, "2-2", letter);

    expect(code).toBe(1);
    expect(stderr).toBe("There is no dead letter 1-1\nThere is no dead letter 2-2\n");
    expect(stdout).toBe("1 dead letter: 1 unknown_order\nPut back 1 dead letter on refund_order\n");
    expect(await store.client.xLen("refund_order")).toBe(1);
  });

  test("where refund_order is no stream, nothing is put back and the cause is reported", async () => {
    const [letter = ""] = await writeDeadLetters(1);
    await store.client.set("refund_order", "text");

    await expect(deadLetters("replay", letter)).rejects.toThrow(/^Redis refused the command: WRONGTYPE .*$/);

    expect(await store.client.xLen("refund_order:dead")).toBe(1);
  });
});

describe("an interrupted replay", () => {
  test("killed in the middle, it has lost and doubled nothing, and a second run puts back the rest", async () => {
    await writeDeadLetters(COUNT);
    const child = startCommand("replay", "--all");
    let output = "";
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.includes(" put back")) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");

    const [back, dead] = [await pksOn("refund_order"), await pksOn("refund_order:dead")];
    expect(back.length).toBeGreaterThan(0);
    expect(dead.length).toBeGreaterThan(0);
    expect(byNumber([...back, ...dead])).toEqual(PKS);

    const { code, stdout } = await deadLetters("replay", "--all");

    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`\\nPut back ${dead.length} dead letters on refund_order\\n$`));
    expect(await pksOn("refund_order")).toEqual(PKS);
    expect(await pksOn("refund_order:dead")).toEqual([]);
  });

  test("two runs at once put back each letter once", async () => {
    await writeDeadLetters(COUNT);
    const replayAll = () => runScript(COMMAND, ["replay", "--all"], databaseEnv());

    const runs = await Promise.all([replayAll(), replayAll()]);

    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    const counts = runs.map(({ stdout }) => /^Put back ([\d,]+) dead/m.exec(stdout)?.[1]?.replace(",", ""));
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(COUNT);
    expect(byNumber(await pksOn("refund_order"))).toEqual(PKS);
    expect(await pksOn("refund_order:dead")).toEqual([]);
  });

  test("a lost reply is asked for again: the letters are put back once, and no id is called unknown", async () => {
    const [cachesScripts = "", letter = ""] = await writeDeadLetters(2);
    await deadLetters("replay", cachesScripts);
    const server = await startHttpFront(store.url);
    onTestFinished(() => server.stop());
    let lost = 0;
    server.answerWith(async (call) => {
      const reply = await call.forward();
      if (lost === 0 && (await store.client.xLen("refund_order")) > 1) {
        lost += 1;
        call.reset();
      } else await call.answer(reply);
    });

    const { exitCode } = await run(
      readOptions(["replay", letter], { ...databaseEnv(), UPSTASH_REDIS_REST_URL: server.url }),
    );

    expect({ exitCode, lost }).toEqual({ exitCode: 0, lost: 1 });
    expect(printed.stdout).toContain("1 dead letter had been put back or deleted meanwhile");
    expect(printed.stderr).not.toContain(letter);
    expect(await store.client.xLen("refund_order")).toBe(2);
  });
});

describe("drop", () => {
  test("the letters are shown before it asks, and stay when the answer is no", async () => {
    const ids = await writeDeadLetters(2);

    const dropped = await drop(store.redis, { ids }, async (question) => {
      expect([...printed.stdout.matchAll(/^\d+-\d+/gm)].map(String)).toEqual(ids);
      expect(question).toBe("Delete 2 dead letters?");
      return false;
    });

    expect(dropped).toBe(false);
    expect(printed.stdout).toMatch(/\nNothing was deleted\n$/);
    expect(await deadIds()).toEqual(ids);
  });

  test("with --yes letters are dropped, more than a batch of them, and no others; the first are shown, an unknown id is named", async () => {
    const [kept = "", other = "", ...ids] = await writeDeadLetters(122);

    const { code, stdout, stderr } = await deadLetters("drop", "--yes", ...ids);
    const again = await deadLetters("drop", "1-1", other, "--yes");

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^120 dead letters: 120 unknown_order\n/);
    expect([...stdout.matchAll(/^\d+-\d+/gm)].map(String)).toEqual(ids.slice(0, 100));
    expect(stdout).toContain("\n… and 20 dead letters more: list shows them\n");
    expect(stdout).toMatch(/\nDeleted 120 dead letters\n$/);
    expect(again).toMatchObject({ code: 1, stderr: "There is no dead letter 1-1\n" });
    expect(again.stdout).toMatch(/\nDeleted 1 dead letter\n$/);
    expect(await deadIds()).toEqual([kept]);
  });
});

describe("many", () => {
  test("--reason and --all select among those that exist", async () => {
    const missing = await refused(["note", "by hand"]);
    const unknown = await writeDeadLetters(3);

    expect(await deadLetters("drop", "--yes", "--reason", "nothing")).toMatchObject({
      code: 0,
      stdout: "There are no such dead letters\n",
    });
    const { stdout } = await deadLetters("drop", "--yes", "--reason", "missing_pk");
    expect(stdout).toMatch(new RegExp(`^1 dead letter: 1 missing_pk\n${missing}`));
    expect(await deadIds()).toEqual(unknown);
    await deadLetters("replay", "--reason", "unknown_order");
    expect(await deadIds()).toEqual([]);
    await writeDeadLetters(2);
    expect(await deadLetters("drop", "--yes", "--all")).toMatchObject({ code: 0 });
    expect(await deadIds()).toEqual([]);
  });

  test("30,000 ids fit on standard input, and standard output holds no line of metrics", async () => {
    const [kept = "", ...ids] = await writeDeadLetters(6_000);
    const others = Array.from({ length: 24_000 }, (_, n) => `${n + 1}-1`);
    const child = startCommand("drop", "-", "--yes");
    child.stdin.end([...ids, ...others].join("\n"));
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);

    expect(code).toBe(1);
    expect(stderr.match(/There is no dead letter/g)).toHaveLength(others.length);
    expect(stdout).toMatch(/^5,999 dead letters: 5,999 unknown_order\n/);
    expect(stdout).toMatch(/\nDeleted 5,999 dead letters\n$/);
    expect(stdout).not.toContain("CloudWatchMetrics");
    expect(await deadIds()).toEqual([kept]);
  });

  test("what is not an id on standard input is named, and nothing is changed", async () => {
    const [id = ""] = await writeDeadLetters(1);
    const options = readOptions(["replay", "-"], databaseEnv());

    await expect(run(options, Readable.from([`${id} x-1`]))).rejects.toThrow(
      'On standard input "x-1" is not the id of a dead letter',
    );
    expect(await deadIds()).toEqual([id]);
  });
});

/** What the command finds in its environment: the database of the test and nothing of this machine's. */
const databaseEnv = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  UPSTASH_REDIS_REST_URL: store.url,
  UPSTASH_REDIS_REST_TOKEN: store.token,
});

/** Starts the command in a process of its own. */
const startCommand = (...args: string[]) =>
  spawn(process.execPath, [join(import.meta.dirname, "../..", COMMAND), ...args], {
    env: databaseEnv(),
    stdio: ["pipe", "pipe", "pipe"],
  });

/** Runs the command in this process. */
async function deadLetters(...args: string[]): Promise<Ran> {
  printed.stdout = "";
  printed.stderr = "";
  const { exitCode } = await run(readOptions(args, databaseEnv()));
  expect(printed.stderr).toContain(DATABASE());
  return { code: exitCode, stdout: printed.stdout, stderr: printed.stderr.replace(DATABASE(), "") };
}

/** Has the poller refuse a request of these fields, and returns the id of its dead letter. */
async function refused(fields: Fields): Promise<string> {
  await addRequest(store.client, fields);
  await drain();
  return (await entries("refund_order:dead")).at(-1)?.id ?? "";
}

const drain = () => drainRefunds(store.redis, Date.now, () => 50_000);

/** Writes `count` dead letters as the poller would, each of its own order, and returns their ids. */
function writeDeadLetters(count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) =>
      store.client.xAdd("refund_order:dead", "*", {
        dead_reason: "unknown_order",
        dead_id: `1-${n}`,
        dead_at: "2026-11-23T06:01:00.000Z",
        pk: `order-${n}`,
      }),
    ),
  );
}

/** The entries of a stream, every byte of them. */
async function entries(stream: string) {
  const raw = store.client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return Entries.parse(await raw.sendCommand(["XRANGE", stream, "-", "+"]));
}

const deadIds = async () => (await entries("refund_order:dead")).map(({ id }) => id);

async function pksOn(stream: string): Promise<string[]> {
  return (await entries(stream)).map(({ fields }) => String(fields.at(-1)));
}

const byNumber = (pks: readonly string[]) => [...pks].sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)));
