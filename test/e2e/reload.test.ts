import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fetchDocumented } from "../support/contract.ts";
import { startOfflineIn } from "../support/offline.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** What `npm start` does without, by its name in the project's folder; packages are linked. */
const NOT_COPIED = /^(\..*|docs|node_modules|test)$/;

const FILE = "lib/http/problem.ts";
const DETAIL = "Check the pk.";
const CHANGED_DETAIL = "Check the pk again.";

test("a file that is changed is served as it is then, without a restart", { timeout: 240_000 }, async () => {
  // given
  const folder = await copyOfProject();
  const service = await startOfflineIn(folder);
  onTestFinished(async () => void (await service.stop()));
  const readNoOrder = async () => (await fetchDocumented(`${service.api}/orders/none`)).json();
  expect(await readNoOrder()).toMatchObject({ detail: expect.stringContaining(DETAIL) });
  // when
  const changed = (await readFile(join(folder, FILE), "utf8")).replace(DETAIL, CHANGED_DETAIL);
  async function change(): Promise<unknown> {
    await writeFile(join(folder, FILE), changed);
    return readNoOrder();
  }
  // then: written again and again, since files may not be watched yet when the service is ready
  await expect
    .poll(change, { timeout: 120_000, interval: 3_000 })
    .toMatchObject({ detail: expect.stringContaining(CHANGED_DETAIL) });
});

async function copyOfProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "orders-reload-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(PROJECT, folder, { recursive: true, filter: (path) => !NOT_COPIED.test(relative(PROJECT, path)) });
  await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
