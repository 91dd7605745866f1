import { join } from "node:path";
import { expect, test } from "vitest";
import { program, said, temporaryFolder } from "../local/redis/support.ts";
import { pythonWithRedis } from "../support/programs.ts";

/** A machine whose own Python has no package redis, with an empty PATH of one folder. */
async function bare() {
  const path = await temporaryFolder();
  const debians = await program(await temporaryFolder(), "python3", `[ -e "${path}/python3-redis" ]`);
  return { path, debians, root: true, named: undefined };
}

test("the Python of ORDERS_TEST_PYTHON is taken before any other", async () => {
  const machine = await bare();
  await program(machine.path, "python3", "exit 0");
  const named = await program(await temporaryFolder(), "my-python", "exit 0");

  expect(await pythonWithRedis(said(), { ...machine, named })).toBe(named);
});

test.for(["exit 1", undefined])(
  "an ORDERS_TEST_PYTHON without the package, or that leads nowhere, is said",
  async (does) => {
    const machine = await bare();
    await program(machine.path, "python3", "exit 0");
    const named = does ? await program(await temporaryFolder(), "my-python", does) : "/nowhere";

    await expect(pythonWithRedis(said(), { ...machine, named })).rejects.toThrow(`ORDERS_TEST_PYTHON is ${named}`);
  },
);

test("a Python on PATH that has the package is taken, and nothing is installed", async () => {
  const machine = await bare();
  await program(machine.path, "apt-get", "exit 1");
  const python = await program(machine.path, "python3", "exit 0");

  expect(await pythonWithRedis(said(), machine)).toBe(python);
});

test("as root, Debian's package is installed for Debian's Python, when another apt-get has ended", async () => {
  const machine = await bare();
  const busy = `[ -e "${machine.path}/seen" ] || { : > "${machine.path}/seen"; echo 'E: Unable to lock directory' >&2; exit 100; }`;
  const installs = `for package; do :; done; [ "$1" != install ] || : > "${machine.path}/$package"`;
  await program(machine.path, "apt-get", `${busy}\n${installs}`);
  const say = said();

  expect(await pythonWithRedis(say, machine)).toBe(machine.debians);
  expect(say.lines).toEqual(["No Python with the package redis found: installing python3-redis with apt …"]);
});

test("when apt fails, what can be done and what was tried is said", async () => {
  const machine = await bare();
  await program(machine.path, "apt-get", "echo 'E: Unable to fetch some archives' >&2; exit 100");

  const finding = pythonWithRedis(said(), machine);

  await expect(finding).rejects.toThrow("set ORDERS_TEST_PYTHON to the python3");
  await expect(finding).rejects.toThrow("apt-get update: E: Unable to fetch some archives");
});

test("nobody but root installs, and without any Python the same is said", async () => {
  const machine = { ...(await bare()), root: false, debians: join(await temporaryFolder(), "python3") };
  await program(machine.path, "apt-get", "exit 0");

  await expect(pythonWithRedis(said(), machine)).rejects.toThrow("No Python with the package redis was found");
});
