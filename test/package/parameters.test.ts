import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callInfra } from "../support/infra.ts";
import { type Packager, startPackager } from "../support/package.ts";
import { option } from "./form.ts";

const JWT = { access: "jwt", jwtIssuer: "https://id.example.com/", jwtAudience: "orders" };

const api = (given: Record<string, string>) => callInfra("api.js", "resources", given);
const alarms = (given: Record<string, string>) => callInfra("alarms/index.js", "resources", given);
const cors = (corsOrigins: string) => callInfra("cors.js", "cors", { corsOrigins });
const inventory = (inventoryUrl: string) => callInfra("inventory.js", "url", { inventoryUrl });
const problemTypes = (problemTypesUrl: string) => callInfra("problem-types.js", "url", { problemTypesUrl });
const concurrency = (reservedConcurrency: string) => callInfra("concurrency.js", "resources", { reservedConcurrency });
const maxLength = (length: string) =>
  callInfra("completed-stream.js", "maxLength", { completedStreamMaxLength: length });
const retention = (orderRetentionDays: string) => callInfra("order-retention.js", "days", { orderRetentionDays });

test.for<[string, () => Promise<unknown>, string]>([
  ["an issuer without an audience", () => api({ ...JWT, jwtAudience: "" }), "only go together"],
  ["an audience without an issuer", () => api({ jwtAudience: "orders" }), "only go together"],
  ["access for tokens without an issuer", () => api({ access: "jwt" }), "access=jwt needs jwtIssuer and jwtAudience"],
  ["open access with an issuer", () => api({ ...JWT, access: "open" }), "jwtIssuer contradicts access=open"],
  ["access that is neither jwt nor open", () => api({ access: "closed" }), "access must be jwt or open"],
  ["a docs page that is neither open nor closed", () => api({ docsPage: "shut" }), "docsPage must be open or closed"],
  ["every origin", () => cors("*"), "corsOrigins must name origins"],
  ["every secure origin", () => cors("https://*"), "corsOrigins must name origins"],
  ["an origin with a slash at its end", () => cors("https://a.example/"), '"https://a.example/" is none'],
  ["a host that is no origin", () => cors("https://a.example, b.example"), '"b.example" is none'],
  ["an inventory that is not on the web", () => inventory("ftp://inventory.example.com"), "inventoryUrl must be"],
  ["problem types that are not on the web", () => problemTypes("urn:orders:"), "problemTypesUrl must be"],
  ["problem types that no name can follow", () => problemTypes("https://a.example"), "problemTypesUrl must be"],
  ["an inventory at no port", () => inventory("https://inventory.example.com:8O80"), "inventoryUrl must be"],
  ["an inventory with a query", () => inventory("https://inventory.example.com/?x=1"), "inventoryUrl must be"],
  ["no reserved concurrency at all", () => concurrency("0"), "reservedConcurrency must be a whole number, 1 or more"],
  ["a stream of no length", () => maxLength(""), "completedStreamMaxLength must be a whole number, 1000 or more"],
  ["a stream that is too short", () => maxLength("999"), "completedStreamMaxLength must be a whole number"],
  ["half a day", () => retention("0.5"), "orderRetentionDays must be a whole number, 0 or more"],
  ["no retention at all", () => retention(""), "orderRetentionDays must be a whole number, 0 or more"],
  ["more than a century", () => retention("36501"), "orderRetentionDays must be at most 36500"],
  ["half an entry", () => maxLength("2000.5"), "completedStreamMaxLength must be a whole number"],
])("%s is refused in one line", async ([, made, reason]) => {
  // The framework prints the stack.
  await expect(made()).rejects.toMatchObject({ stack: expect.stringMatching(/^.+$/) });
  await expect(made()).rejects.toThrow(reason);
});

test.for(["", " ", "many", "-1", "Infinity", "NaN", "1e3", "0x10", "true"])("%o is no number", async (text) => {
  await expect(api({ throttleRate: text })).rejects.toThrow("throttleRate must be a number, 0 or more");
  await expect(api({ throttleBurst: text })).rejects.toThrow("throttleBurst must be a whole number, 0 or more");
  await expect(alarms({ alarmLatencyMs: text })).rejects.toThrow("alarmLatencyMs must be a number, 0 or more");
});

test.for<[string, number]>([
  ["1000", 500],
  ["2001", 1000],
])("the alarm of a stream of %s entries begins at %d", async ([length, threshold]) => {
  expect(await maxLength(length)).toBe(length);
  expect(await alarms({ completedStreamMaxLength: length })).toMatchObject({
    Resources: { ConsumerLagAlarm: { Properties: { Threshold: threshold } } },
  });
});

describe("the framework", () => {
  let packager: Packager;

  beforeAll(async () => {
    packager = await startPackager();
  });

  afterAll(async () => {
    await packager[Symbol.asyncDispose]();
  });

  test("does not package prod until somebody chooses who may call it, and says where", async () => {
    await expect(packager.package("--stage", "prod")).rejects.toThrow(
      /\nError:\naccess is not set for the stage prod: set it to jwt or open in infra\/parameters\.yml .+\n/,
    );
  });

  test("needs no such choice for what does not package", async () => {
    await packager.print("--stage", "prod");
  });

  test.for([
    [
      "a way of tracing that Lambda does not know",
      option("tracing", "Sometimes"),
      "must be equal to one of the allowed",
    ],
    ["a rate that is no number", option("throttleRate", "many"), "throttleRate must be a number"],
  ] as const)("does not package for %s", async ([, options, reason]) => {
    await expect(packager.package(...options)).rejects.toThrow(reason);
  });

  test("switches tracing on", async () => {
    const { template } = await packager.package(...option("tracing", "Active"));

    const modes = Object.values(template.Resources).flatMap(({ Properties }) => Properties.TracingConfig ?? []);
    expect(modes.length).toBeGreaterThan(0);
    for (const mode of modes) expect(mode).toEqual({ Mode: "Active" });
  });

  test("takes a parameter of the command line before the stage's, and leaves no temporary file", async () => {
    const { template, leftBehind } = await packager.package(
      ...["--stage", "prod", ...option("access", "open"), ...option("throttleRate", "700")],
    );

    expect(template.Resources.HttpApiStage?.Properties.DefaultRouteSettings).toMatchObject({
      ThrottlingRateLimit: 700,
      ThrottlingBurstLimit: 1000,
    });
    expect(leftBehind).toEqual([]);
  });

  test("ends a deploy without credentials in one line that says where to get them, and asks no one", async () => {
    await expect(packager.deployWithoutCredentials()).rejects.toThrow(
      /\nError:\nAWS provider credentials not found\. Learn how to set up AWS provider credentials .+: <https:\/\/\S+>\.\n/,
    );
  });
});
