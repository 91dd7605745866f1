import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Offline, startOffline } from "../support/offline.ts";
import { PROJECT, redocly } from "../support/redocly.ts";

const PROGRAM = join(import.meta.dirname, "../contract/client-program.txt");
const TSC = join(PROJECT, "node_modules/typescript/bin/tsc");

/** The project's own rules, with the browser's types, of which the generated client uses some. */
const TSCONFIG = {
  extends: join(PROJECT, "tsconfig.json"),
  compilerOptions: {
    lib: ["es2025", "dom", "dom.iterable"],
    types: ["node"],
    typeRoots: [join(PROJECT, "node_modules/@types")],
  },
  include: ["*.ts"],
};

const run = promisify(execFile);

let service: Offline | undefined;
let folder = "";

beforeAll(async () => {
  service = await startOffline();
  // In the project, so that types are found; git ignores the folder, and Node strips types there.
  await mkdir(join(PROJECT, ".esbuild"), { recursive: true });
  folder = await mkdtemp(join(PROJECT, ".esbuild/client-"));
});
afterAll(async () => {
  await service?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("a client that is generated of openapi.yaml is typed, and places and reads orders", async () => {
  // given
  await redocly("generate-client", "openapi.yaml", "--output", join(folder, "client.ts"));
  await copyFile(PROGRAM, join(folder, "program.ts"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));

  // when
  const checked = await run(process.execPath, [TSC, "--project", folder]).catch((error: unknown) => error);
  expect(checked).toMatchObject({ stdout: "" });
  const { stdout } = await run(process.execPath, [join(folder, "program.ts")], {
    env: { ...process.env, API: service?.api },
  });

  // then
  const said: unknown = JSON.parse(stdout);
  expect(said).toMatchObject({
    order: { product_id: "tea-green", quantity: 2, status: "pending" },
    status: "pending",
    location: expect.stringMatching(/^\/orders\/\w{26}$/),
    samePk: true,
    replayed: [null, "true"],
    problemCode: "invalid_order",
  });
});
