import { afterAll, beforeAll, expect, test } from "vitest";
import { type Packager, startPackager } from "../support/package.ts";
import { option } from "./form.ts";

let packager: Packager;

beforeAll(async () => {
  packager = await startPackager();
});

afterAll(async () => {
  await packager[Symbol.asyncDispose]();
});

test.for([
  ["an issuer without an audience", option("jwtIssuer", "https://id.example.com/"), "only go together"],
  ["an audience without an issuer", option("jwtAudience", "orders"), "only go together"],
  ["a docs page that is neither open nor closed", option("docsPage", "shut"), "docsPage must be open or closed"],
  ["every origin", option("corsOrigins", "*"), "corsOrigins must name origins"],
  ["every secure origin", option("corsOrigins", "https://*"), "corsOrigins must name origins"],
  ["an origin with a slash at its end", option("corsOrigins", "https://a.example/"), '"https://a.example/" is none'],
  ["a host that is no origin", option("corsOrigins", "https://a.example, b.example"), '"b.example" is none'],
  ["a way of tracing that Lambda does not know", option("tracing", "Sometimes"), "must be equal to one of the allowed"],
  [
    "an inventory that is not on the web",
    option("inventoryUrl", "ftp://inventory.example.com"),
    "inventoryUrl must be",
  ],
  ["an inventory at no port", option("inventoryUrl", "https://inventory.example.com:8O80"), "inventoryUrl must be"],
  ["an inventory with a query", option("inventoryUrl", "https://inventory.example.com/?x=1"), "inventoryUrl must be"],
  ["a rate that is no number", option("throttleRate", "many"), "throttleRate must be a number"],
] as const)("packaging is refused for %s", async ([, options, reason]) => {
  await expect(packager.package(...options)).rejects.toThrow(reason);
});

test("tracing can be switched off", async () => {
  const { template } = await packager.package(...option("tracing", "PassThrough"));

  const modes = Object.values(template.Resources).flatMap(({ Properties }) => Properties.TracingConfig ?? []);
  expect(modes.length).toBeGreaterThan(0);
  for (const mode of modes) expect(mode).toEqual({ Mode: "PassThrough" });
});

test("a parameter of the command line wins over the stage's, and packaging leaves no temporary file", async () => {
  const { template, leftBehind } = await packager.package("--stage", "prod", ...option("throttleRate", "700"));

  expect(template.Resources.HttpApiStage?.Properties.DefaultRouteSettings).toMatchObject({
    ThrottlingRateLimit: 700,
    ThrottlingBurstLimit: 1000,
  });
  expect(leftBehind).toEqual([]);
});

test("deploying without credentials ends in one line that says where to get them, and asks no one", async () => {
  await expect(packager.deployWithoutCredentials()).rejects.toThrow(
    /\nError:\nAWS provider credentials not found\. Learn how to set up AWS provider credentials .+: <https:\/\/\S+>\.\n/,
  );
});
