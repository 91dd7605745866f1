import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { localEnvironment, readSettings } from "../../local/settings.ts";
import { startStack } from "../../local/stack.ts";
import { PORTS } from "../support/offline.ts";
import { freePorts, listen } from "../support/servers.ts";

test.for(PORTS)("a port that is taken is reported in one line that names it and %s", async (variable) => {
  // given
  const other = createServer((socket) => socket.destroy());
  const { port } = new URL(await listen(other));
  onTestFinished(() => void other.close());
  const settings = readSettings({ ...(await freePorts(...PORTS)), [variable]: port });
  // when
  const start = startStack(settings);
  // then
  await expect(start).rejects.toThrow(
    new RegExp(`^Port ${port} \\(.+\\) is taken by another program: stop it, or set ${variable} to another port$`),
  );
});

test("two parts on one port are refused in one line that names both variables", async () => {
  const settings = readSettings({ ORDERS_API_PORT: "4000", ORDERS_SCHEDULER_PORT: "4000" });
  await expect(startStack(settings)).rejects.toThrow(
    "ORDERS_API_PORT and ORDERS_SCHEDULER_PORT are both 4000. Set one to another port.",
  );
});

test.for([
  [{ REDIS_URL: "redis://127.0.0.1:1" }, "No Redis answers at 127.0.0.1:1"],
  [
    { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1", UPSTASH_REDIS_REST_TOKEN: "a" },
    "Nothing answers at http://127.0.0.1:1",
  ],
] as const)(
  "a database of the user's that does not answer is reported before anything starts: %o",
  async ([env, line]) => {
    const ports = await freePorts(...PORTS);
    await expect(startStack(readSettings({ ...ports, ...env }))).rejects.toThrow(line);
  },
);

describe("the settings", () => {
  test("that are wrong are named, all in one line that says what they must be", () => {
    const wrong = {
      ORDERS_API_PORT: "http",
      ORDERS_LAMBDA_PORT: "70000",
      ORDERS_SCHEDULER_MAX_DELAY_MS: "1.5",
      ORDERS_SCHEDULER_DELIVER_TWICE: "perhaps",
      REDIS_URL: "http://127.0.0.1",
      UPSTASH_REDIS_REST_URL: "x.upstash.io",
    };
    expect(() => readSettings(wrong)).toThrow(
      "Invalid environment variables (fix or unset them): " +
        "ORDERS_API_PORT must be a port, 1 to 65535; ORDERS_LAMBDA_PORT must be a port, 1 to 65535; " +
        "ORDERS_SCHEDULER_MAX_DELAY_MS must be ms, 0 to 60000; ORDERS_SCHEDULER_DELIVER_TWICE must be true or false; " +
        "REDIS_URL must be redis://… or rediss://…; UPSTASH_REDIS_REST_URL must be an http or https URL without query, fragment and credentials",
    );
  });

  test("take both variables of an Upstash database or none", () => {
    expect(() => readSettings({ UPSTASH_REDIS_REST_URL: "https://x.upstash.io" })).toThrow(
      "Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither",
    );
  });

  test.for(["inventory:8080", "ftp://127.0.0.1", "http://127.0.0.1/?x=1", "http://a:b@127.0.0.1"])(
    "refuse %s as the inventory's address",
    (INVENTORY_URL) => {
      expect(() => readSettings({ INVENTORY_URL })).toThrow(
        "INVENTORY_URL must be an http or https URL without query, fragment and credentials",
      );
    },
  );

  test("refuse an Upstash address with a token in it, and do not show it", () => {
    const settings = () => readSettings({ UPSTASH_REDIS_REST_URL: "http://default:secret@x.upstash.io" });

    expect(settings).toThrow("UPSTASH_REDIS_REST_URL must be");
    expect(settings).not.toThrow("secret");
  });

  test("refuse an Upstash address that would send the token unencrypted over the network", () => {
    const upstash = { UPSTASH_REDIS_REST_TOKEN: "a" };
    expect(() => readSettings({ ...upstash, UPSTASH_REDIS_REST_URL: "http://x.upstash.io" })).toThrow(
      /UPSTASH_REDIS_REST_URL must be https, except on this machine$/,
    );
    expect(readSettings({ ...upstash, UPSTASH_REDIS_REST_URL: "http://localhost:8079" })).toMatchObject(upstash);
  });

  test("count an empty variable as not set", () => {
    expect(readSettings({ ORDERS_API_PORT: "", REDIS_URL: "", INVENTORY_URL: "" })).toEqual(readSettings({}));
  });
});

test("what the functions get leads to this machine only", () => {
  const environment = localEnvironment(readSettings({}), "eu-central-1", "orders-dev-completeOrder");
  const addresses = Object.values(environment).filter((value) => value.startsWith("http"));
  expect(addresses).toEqual(["http://127.0.0.1:8079", "http://127.0.0.1:3003"]);
  expect(environment).toMatchObject({
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
  });
});

test("the functions ask the inventory that the user names, and none otherwise", () => {
  const inventoryOf = (env: NodeJS.ProcessEnv) =>
    localEnvironment(readSettings(env), "eu-central-1", "f").INVENTORY_URL;
  expect(inventoryOf({ INVENTORY_URL: "http://127.0.0.1:8000/shop" })).toBe("http://127.0.0.1:8000/shop");
  expect(inventoryOf({})).toBe("");
});
