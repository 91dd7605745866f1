import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { program, said, temporaryFolder } from "../local/redis/support.ts";
import { chromiumBinary } from "../support/programs.ts";

const bare = async () => ({ path: await temporaryFolder(), root: true, named: undefined });

test("the browser of CHROMIUM_PATH is taken before one on PATH", async () => {
  const machine = await bare();
  await program(machine.path, "chromium", "");
  const named = await program(await temporaryFolder(), "my-browser", "");

  expect(await chromiumBinary(said(), { ...machine, named })).toBe(named);
});

test("a CHROMIUM_PATH that leads nowhere is said, whatever is on PATH", async () => {
  const machine = await bare();
  await program(machine.path, "chromium", "");

  await expect(chromiumBinary(said(), { ...machine, named: "/nowhere" })).rejects.toThrow("CHROMIUM_PATH is /nowhere");
});

test.for(["chromium", "google-chrome"])("%s on PATH is taken, and nothing is installed", async (name) => {
  const machine = await bare();
  await program(machine.path, "apt-get", "exit 1");
  const browser = await program(machine.path, name, "");

  expect(await chromiumBinary(said(), machine)).toBe(browser);
});

test("as root, Debian's chromium is installed, and one line says so", async () => {
  const machine = await bare();
  const browser = join(machine.path, "chromium");
  const install = `[ "$1" = install ] && printf '#!/bin/sh' > "${browser}" && /bin/chmod 755 "${browser}"; exit 0`;
  await program(machine.path, "apt-get", `echo "$DEBIAN_FRONTEND $@" >> "${machine.path}/calls"\n${install}`);
  const say = said();

  expect(await chromiumBinary(say, machine)).toBe(browser);
  expect(say.lines).toEqual(["No Chromium found: installing chromium with apt …"]);
  expect(await readFile(join(machine.path, "calls"), "utf8")).toBe(
    "noninteractive update\nnoninteractive install -y --no-install-recommends -o DPkg::Lock::Timeout=300 chromium\n",
  );
});

test("when apt fails, what can be done and what was tried is said", async () => {
  const machine = await bare();
  await program(machine.path, "apt-get", "echo 'E: Unable to fetch some archives' >&2; exit 100");

  const finding = chromiumBinary(said(), machine);

  await expect(finding).rejects.toThrow("set CHROMIUM_PATH to the program");
  await expect(finding).rejects.toThrow("apt-get update: E: Unable to fetch some archives");
});

test("nobody but root installs: what can be done is said", async () => {
  const machine = { ...(await bare()), root: false };
  await program(machine.path, "apt-get", "exit 0");

  await expect(chromiumBinary(said(), machine)).rejects.toThrow("No Chromium was found, and none could be installed");
});
