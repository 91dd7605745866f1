import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readSettings, Settings } from "../../local/settings.ts";
import { schemaDocument } from "../support/contract.ts";
import { readCurl } from "../support/curl.ts";
import { blocksOf, codeIn, tableOf } from "../support/markdown.ts";

const PROJECT = new URL("../../", import.meta.url);
const README = await readFile(new URL("README.md", PROJECT), "utf8");
const PAGES = await Promise.all(
  // Not the change log: it tells of the past too.
  ["README.md", "CONTRIBUTING.md", "docs/decisions.md", "docs/operations.md"].map((page) =>
    readFile(new URL(page, PROJECT), "utf8"),
  ),
);

const Manifest = z.object({ version: z.string(), scripts: z.record(z.string(), z.string()) });
const { scripts, version } = Manifest.parse(JSON.parse(await readFile(new URL("package.json", PROJECT), "utf8")));

/** What `npm run check` is made of, which the row of that command names. */
const PARTS_OF_CHECK = ["format", "lint", "types"];

/** The name of the script in `npm run demo -- …` or `npm test`. */
const scriptOf = (command: string) => /^npm (?:run (?:--silent )?)?([\w:]+)/.exec(command)?.[1];

test("the table of commands has every script of package.json, and no other", () => {
  const rows = tableOf(README, "command", "does").map(([command = ""]) => scriptOf(codeIn(command)[0] ?? ""));

  expect(rows.toSorted()).toEqual(
    Object.keys(scripts)
      .filter((name) => !PARTS_OF_CHECK.includes(name))
      .toSorted(),
  );
  for (const part of PARTS_OF_CHECK) expect(scripts.check).toContain(`npm run ${part}`);
});

test("every npm script that a page names is one", () => {
  const named = PAGES.flatMap((page) => [...page.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name));

  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => name === undefined || !(name in scripts))).toEqual([]);
});

test("the commands of the shop name variables, parameters, files and addresses that there are", async () => {
  const block = blocksOf(README, "sh").find((text) => text.includes("test/shop/main.ts")) ?? "";
  const [start = "", inventory = "", shop = "", stock = "", ...more] = block.trim().split("\n");
  const settings = readSettings({});
  const parameters: unknown = parse(await readFile(new URL("infra/parameters.yml", PROJECT), "utf8"));

  const [, port, products = ""] = /^ORDERS_REDIS_PORT=(\d+) INVENTORY_URL=(\S+) npm start -- /.exec(start) ?? [];
  const [, parameter = "", origin] = /--param="(\w+)=(\S+)"$/.exec(start) ?? [];
  for (const name of ["ORDERS_REDIS_PORT", "INVENTORY_URL"]) expect(Settings.shape).toHaveProperty(name);
  expect(parameters).toHaveProperty(["default", parameter]);

  const [, python = ""] = /^REDIS_URL=\S+ python3 (\S+)$/.exec(inventory) ?? [];
  expect(inventory).toContain(`REDIS_URL=redis://127.0.0.1:${port} `);
  const program = await readFile(new URL(python, PROJECT), "utf8");
  expect(program).toContain('"REDIS_URL"');
  expect(program).toContain(`"INVENTORY_PORT", "${new URL(products).port}"`);

  const [, main = "", address] = /^npx node (\S+) +# serves (\S+)$/.exec(shop) ?? [];
  expect(await readFile(new URL(main, PROJECT), "utf8")).toContain(`default(${new URL(address ?? "").port})`);
  expect(address).toBe(origin);

  expect(readCurl(stock).url).toBe(`http://localhost:${settings.ORDERS_UPSTASH_PORT}`);
  expect(more).toEqual([]);
});

test("the change log has an entry for the version of package.json", async () => {
  expect(await readFile(new URL("CHANGELOG.md", PROJECT), "utf8")).toContain(`\n## [${version}] - `);
});

test("the table of environment variables has every setting with its default, and no other", () => {
  const defaults: Record<string, unknown> = readSettings({});
  const rows = tableOf(README, "variable", "default", "what").flatMap(([variables = "", fallback = ""]) =>
    codeIn(variables).map((name) => [name, fallback]),
  );

  const settings = Object.keys(Settings.shape).map((name) => [name, defaults[name]]);
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(
      settings.map(([name, value]) => [
        name,
        value === undefined ? expect.stringMatching(/^(none|a free one)$/) : String(value),
      ]),
    ),
  );
});

test("the table of streams has those of asyncapi.yaml, with the fields that each entry has", async () => {
  const asyncapi = await schemaDocument("asyncapi.yaml");
  const Channels = z.record(z.string(), z.object({ address: z.string() }));
  const addresses = Object.values(Channels.parse(asyncapi.at("channels"))).map(({ address }) => address);
  const required = (schema: string) =>
    z.array(z.string()).parse(asyncapi.at("components", "schemas", schema, "required"));

  const rows = tableOf(README, "stream", "who writes", "fields (flat strings)");
  const fieldsOf = (stream: string) =>
    codeIn(rows.find(([name]) => name === `\`${stream}\``)?.[2] ?? "")[0]?.split(" ");

  expect(rows.map(([name = ""]) => codeIn(name)[0])).toEqual(addresses);
  expect(fieldsOf("order_completed")).toEqual(required("OrderCompleted"));
  expect(fieldsOf("refund_order")).toEqual(required("RefundRequest"));
  expect(fieldsOf("refund_order:dead")).toEqual(required("DeadRefundRequest"));
});

test("the table of folders has every folder of the project", async () => {
  const ignored = (await readFile(new URL(".gitignore", PROJECT), "utf8")).split("\n");
  const folders = (await readdir(PROJECT, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => `${name}/`)
    .filter((name) => !ignored.includes(name));

  const rows = tableOf(README, "folder", "what").map(([folder = ""]) => codeIn(folder)[0]);
  expect(rows.toSorted()).toEqual(folders.toSorted());
});
