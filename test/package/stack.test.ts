import { afterAll, beforeAll, describe } from "vitest";
import { type Package, type Packager, startPackager } from "../support/package.ts";
import { alarms } from "./alarms.ts";
import { api } from "./api.ts";
import { bundles } from "./bundles.ts";
import { cloudFormation } from "./cloudformation.ts";
import { completions } from "./completions.ts";
import { dashboard } from "./dashboard.ts";
import { deadLetters } from "./dead-letters.ts";
import { type Form, option } from "./form.ts";
import { functions } from "./functions.ts";
import { leastPrivilege } from "./least-privilege.ts";
import { secrets } from "./secrets.ts";

const ISSUER = "https://id.example.com/";

const FORMS: readonly Form[] = [
  { stage: "dev" },
  {
    stage: "dev",
    access: "jwt",
    issuer: ISSUER,
    audiences: ["orders"],
    docs: "closed",
    origins: ["https://shop.example.com"],
  },
  { stage: "prod", access: "open" },
  {
    stage: "prod",
    access: "jwt",
    issuer: ISSUER,
    audiences: ["orders", "shop"],
    docs: "closed",
    origins: ["https://shop.example.com", "https://www.example.com"],
    email: "on-call@example.com",
    inventory: "https://inventory.example.com/shop/",
    retentionDays: 365,
    reservedConcurrency: 200,
    problemTypes: "https://docs.example.com/problems#",
  },
];

let packager: Packager;

beforeAll(async () => {
  packager = await startPackager();
});

afterAll(async () => {
  await packager[Symbol.asyncDispose]();
});

describe.for(FORMS)("the package for $stage with issuer $issuer", (form) => {
  let made: Package;

  beforeAll(async () => {
    made = await packager.package(
      ...["--stage", form.stage],
      ...option("access", form.access),
      ...option("jwtIssuer", form.issuer),
      ...option("jwtAudience", form.audiences?.join(",")),
      ...option("docsPage", form.docs),
      ...option("corsOrigins", form.origins?.join(", ")),
      ...option("alarmEmail", form.email),
      ...option("inventoryUrl", form.inventory),
      ...option("orderRetentionDays", form.retentionDays?.toString()),
      ...option("reservedConcurrency", form.reservedConcurrency?.toString()),
      ...option("problemTypesUrl", form.problemTypes),
    );
  });

  for (const rules of [
    leastPrivilege,
    secrets,
    functions,
    completions,
    deadLetters,
    api,
    alarms,
    dashboard,
    bundles,
    cloudFormation,
  ]) {
    rules(() => made, form);
  }
});
