import { expect, test } from "vitest";
import { parametersOf } from "./template.ts";

const read = (...commandLine: string[]) => parametersOf("dev", ...commandLine);
const JWT = ["access=jwt", "jwtIssuer=https://id.example.com/", "jwtAudience=orders"];

test("a stage overrides the defaults, and the command line overrides both, as numbers and truth values", () => {
  const prod = parametersOf("prod", "throttleRate=700.5");

  expect(read()).toMatchObject({ throttleRate: 10, throttleBurst: 20, deletionProtection: false, access: "open" });
  expect(prod).toMatchObject({ throttleRate: 700.5, throttleBurst: 1000, deletionProtection: true, access: "" });
  expect(read("deletionProtection=true", "logRetentionInDays=30")).toMatchObject({
    deletionProtection: true,
    logRetentionInDays: 30,
  });
});

test.for(["", "none"])("%o unsets a text, a list and a number that may be unset", (value) => {
  const unset = read(
    ...["inventoryUrl", "corsOrigins", "reservedConcurrency", "alarmEmail"].map((name) => `${name}=${value}`),
  );

  expect(unset).toMatchObject({ corsOrigins: [], alarmEmail: "none" });
  expect([unset.inventoryUrl, unset.reservedConcurrency]).toEqual([undefined, undefined]);
});

test.for<[...wrong: string[], reason: string]>([
  ["access=jwt", "jwtIssuer=https://id.example.com/", "jwtIssuer and jwtAudience only go together"],
  ["jwtAudience=orders", "jwtIssuer and jwtAudience only go together"],
  ["access=jwt", "access=jwt needs jwtIssuer and jwtAudience"],
  [...JWT, "access=open", "jwtIssuer contradicts access=open"],
  ["access=closed", "access must be jwt or open"],
  ["docsPage=shut", "docsPage must be open or closed"],
  ["corsOrigins=*", "corsOrigins must name origins"],
  ["corsOrigins=https://*", "corsOrigins must name origins"],
  ["corsOrigins=https://a.example/", '"https://a.example/" is not one'],
  ["corsOrigins=https://a.example, b.example", '"b.example" is not one'],
  ["inventoryUrl=ftp://inventory.example.com", "inventoryUrl must be an address such as"],
  ["problemTypesUrl=urn:orders:", "problemTypesUrl must be an https address"],
  ["problemTypesUrl=https://a.example", "problemTypesUrl must be an https address that ends with / or #"],
  ["docsUrl=none", "docsUrl must be an https address"],
  ["alarmEmail=on-call", "alarmEmail must be an e-mail address, or none"],
  ["ticketEmail=team", "ticketEmail must be an e-mail address, or none"],
  ["reservedConcurrency=0", "reservedConcurrency must be a whole number, 1 or more"],
  ["completedStreamMaxLength=", "completedStreamMaxLength must be a whole number, 1000 or more"],
  ["completedStreamMaxLength=999", "completedStreamMaxLength must be a whole number, 1000 or more"],
  ["completedStreamMaxLength=2000.5", "completedStreamMaxLength must be a whole number, 1000 or more"],
  ["orderRetentionDays=0.5", "orderRetentionDays must be a whole number, 0 or more"],
  ["orderRetentionDays=36501", "orderRetentionDays must be at most 36500"],
  ["tracing=Sometimes", "tracing must be Active or PassThrough"],
  ["logRetentionInDays=31", "logRetentionInDays must be one of 1, 3, 5, 7"],
  ["deletionProtection=yes", "deletionProtection must be true or false"],
  ["deadLettersPolicy=Keep", "deadLettersPolicy must be Delete or Retain"],
  ["doctor=no", "doctor must be run or skip"],
  ["alarmEmial=a@example.com", "there is no alarmEmial"],
  ...["", " ", "many", "-1", "Infinity", "NaN", "1e3", "0x10", "true"].map((text): [string, string] => [
    `alarmLatencyMs=${text}`,
    "alarmLatencyMs must be a number, 0 or more",
  ]),
])("%s is refused in one line", (row) => {
  const [reason = "", ...wrong] = row.toReversed();

  expect(() => read(...wrong.toReversed())).toThrow(reason);
  expect(() => read(...wrong.toReversed())).toThrow(/^[^\n]+$/);
});

test("all that is wrong is named at once", () => {
  expect(() => read("tracing=On", "throttleRate=many")).toThrow(
    /tracing must be .+; throttleRate must be |throttleRate must be .+; tracing must be /,
  );
});
