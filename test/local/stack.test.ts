import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../local/ports.ts";
import { forgetAwsSettings, localEnvironment, readSettings } from "../../local/settings.ts";
import { startStack } from "../../local/stack.ts";
import { PORTS } from "../support/offline.ts";
import { freePorts } from "../support/servers.ts";

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

const HAS_IPV6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

test.runIf(HAS_IPV6).for(["ORDERS_API_PORT", "ORDERS_CONSOLE_PORT"])(
  "another program at [::1] has the port of %s, which people know as that of localhost",
  async (variable) => {
    const { port } = await freePorts("port");
    const other = createServer((socket) => socket.destroy()).listen(Number(port), "::1");
    onTestFinished(() => void other.close());
    await once(other, "listening");

    const start = startStack(readSettings({ ...(await freePorts(...PORTS)), [variable]: port }));

    await expect(start).rejects.toThrow(`is taken by another program: stop it, or set ${variable} to another port`);
  },
);

test("two parts on one port are refused in one line that names both variables", async () => {
  const settings = readSettings({ ORDERS_API_PORT: "4000", ORDERS_SCHEDULER_PORT: "4000" });
  await expect(startStack(settings)).rejects.toThrow(
    "ORDERS_API_PORT and ORDERS_SCHEDULER_PORT are both 4000. Set one to another port.",
  );
});

test.for<[NodeJS.ProcessEnv, RegExp]>([
  [
    { REDIS_URL: "redis://me:secret@127.0.0.1:1" },
    /^No Redis answers at 127\.0\.0\.1:1 \((?!.*secret).+\): start it, correct REDIS_URL, or unset it to .+$/,
  ],
  [
    { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1", UPSTASH_REDIS_REST_TOKEN: "a" },
    /^Nothing answers at http:\/\/127\.0\.0\.1:1 \(.+\): correct UPSTASH_REDIS_REST_URL, or unset it .+$/,
  ],
])("a database of the user's that does not answer is reported in one line: %o", async ([env, line]) => {
  await expect(startStack(readSettings({ ...(await freePorts(...PORTS)), ...env }))).rejects.toThrow(line);
});

test("settings that are wrong are all named in one line, which says what they must be and has no value", () => {
  const wrong = {
    ORDERS_API_PORT: "http",
    ORDERS_LAMBDA_PORT: "70000",
    ORDERS_SCHEDULER_MAX_DELAY_MS: "1.5",
    ORDERS_SCHEDULER_DELIVER_TWICE: "perhaps",
    REDIS_URL: "http://127.0.0.1",
    UPSTASH_REDIS_REST_URL: "http://x.upstash.io",
    INVENTORY_URL: "http://a:secret@127.0.0.1",
  };
  expect(() => readSettings(wrong)).toThrow(
    "Invalid environment variables (fix or unset them): " +
      "ORDERS_API_PORT must be a port, 1 to 65535; ORDERS_LAMBDA_PORT must be a port, 1 to 65535; " +
      "ORDERS_SCHEDULER_MAX_DELAY_MS must be ms, 0 to 60000; ORDERS_SCHEDULER_DELIVER_TWICE must be true or false; " +
      "REDIS_URL must be redis://… or rediss://…; UPSTASH_REDIS_REST_URL must be https, except on this machine; " +
      "INVENTORY_URL must be an http or https URL without query, fragment and credentials",
  );
});

test("the settings take both variables of an Upstash database or none, and count an empty one as not set", () => {
  expect(() => readSettings({ UPSTASH_REDIS_REST_URL: "https://x.upstash.io", UPSTASH_REDIS_REST_TOKEN: "" })).toThrow(
    "Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither",
  );
  expect(readSettings({ ORDERS_API_PORT: "", REDIS_URL: "", INVENTORY_URL: "" })).toEqual(readSettings({}));
});

test("what the functions get leads to this machine only, and to the inventory that the user names", () => {
  const environmentWith = (env: NodeJS.ProcessEnv) =>
    localEnvironment(readSettings(env), "eu-central-1", "orders-dev-completeOrder");
  const environment = environmentWith({});
  const addresses = Object.values(environment).filter((value) => value.startsWith("http"));
  expect(addresses).toEqual(["http://127.0.0.1:8079", "http://127.0.0.1:3003"]);
  expect(environment).toMatchObject({
    INVENTORY_URL: "",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
  });
  expect(environment).toMatchObject({ AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" });
  const shell = {
    AWS_PROFILE: "work",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_ENDPOINT_URL: "https://x.example",
    TZ: "CET",
  };
  forgetAwsSettings(shell);
  expect(shell).toEqual({ TZ: "CET" });
  const INVENTORY_URL = "http://127.0.0.1:8000/shop";
  expect(environmentWith({ INVENTORY_URL })).toMatchObject({ INVENTORY_URL });
});
