import { expect, test } from "vitest";
import { readTask, UsageError } from "../../tools/dead-refunds/arguments.ts";
import { runScript } from "../support/run.ts";
import { useStore } from "../support/store.ts";
import { COMMAND, databaseEnv } from "./dead-refunds.ts";

/** Nothing can listen on it without being root, and no system puts anything of the web there. */
const CLOSED_PORT = "1";

const store = useStore();

test.for<[string[], string]>([
  [[], "What to do? list, replay or drop"],
  [["bury"], "There is no command bury"],
  [["list", "1-1"], "list takes no ids"],
  [["list", "--all"], "--all is for replay"],
  [["replay"], "Which dead letters? list shows their ids"],
  [["replay", "--all", "1-1"], "replay takes ids or --all, not both"],
  [["replay", "--yes", "1-1"], "--yes is for drop"],
  [["replay", "-"], '"-" is no id of a dead letter: list shows them'],
  [["replay", "1"], '"1" is no id of a dead letter: list shows them'],
  [["replay", "01-1"], '"01-1" is no id of a dead letter: list shows them'],
  [["replay", "18446744073709551616-0"], '"18446744073709551616-0" is no id of a dead letter: list shows them'],
  [["drop", "--yes"], "Which dead letters? list shows their ids"],
  [["drop", "--all", "--yes"], "--all is for replay"],
  [["list", "--json"], "Unknown option '--json'"],
])("%j is wrong usage", ([args, reason]) => {
  const read = () => readTask(args);

  expect(read).toThrow(UsageError);
  expect(read).toThrow(reason);
});

test("wrong usage is told, with where to read on, and Redis is not asked: 2", async () => {
  const { code, stdout, stderr } = await runScript(COMMAND, ["bury"], { ORDERS_UPSTASH_PORT: CLOSED_PORT });

  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe("There is no command bury\nAll there is: npm run refunds:dead -- --help\n");
});

test("environment variables that are wrong are named: 2", async () => {
  const { code, stderr } = await runScript(COMMAND, ["list"], { UPSTASH_REDIS_REST_URL: "https://example.com" });

  expect(code).toBe(2);
  expect(stderr).toContain("Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither");
});

test("without variables it is the database of npm start; when that does not answer, that is said: 1", async () => {
  const { code, stdout, stderr } = await runScript(COMMAND, ["list"], { ORDERS_UPSTASH_PORT: CLOSED_PORT });

  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^No Redis does its part at http:\/\/127\.0\.0\.1:1 \(.+\): set UPSTASH_REDIS_REST_URL and .+, or begin npm start\n$/,
  );
});

test("the database of npm start is reached by its token", async () => {
  const env = { ...databaseEnv(store), UPSTASH_REDIS_REST_URL: "", UPSTASH_REDIS_REST_TOKEN: "" };

  const { stderr } = await runScript(COMMAND, ["list"], { ...env, ORDERS_UPSTASH_PORT: new URL(store.url).port });

  expect(stderr).toMatch(/^The token is refused at http:\S+: set UPSTASH_REDIS_REST_URL and .+\n$/);
});

test("--help says all there is", async () => {
  const { code, stdout, stderr } = await runScript(COMMAND, ["--help"], {});

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const word of ["list", "replay", "--all", "drop", "--yes"]) expect(stdout).toContain(word);
});
