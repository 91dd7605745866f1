import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Machine } from "../../../local/redis/machine.ts";
import { apt } from "../../../local/redis/ways/apt.ts";
import { bareMachine, program, said } from "./support.ts";

const CANDIDATE_7 = "echo '  Installed: (none)'; echo '  Candidate: 5:7.0.15-1~deb12u6'";

test("as root, redis-server is installed with apt, and one line says so", async () => {
  const machine = await debian(CANDIDATE_7);
  const say = said();

  expect(await apt(machine, say)).toBe(join(machine.path, "redis-server"));
  expect(say.lines).toEqual(["No Redis found: installing redis-server with apt …"]);
  expect(await calls(machine)).toEqual([
    "update",
    "install -y --no-install-recommends -o DPkg::Lock::Timeout=300 redis-server",
  ]);
});

test("during the install the policy forbids Debian to start a service; afterwards the policy is gone", async () => {
  const machine = await debian(CANDIDATE_7);

  await apt(machine, said());

  expect(await readFile(join(machine.path, "policy-answer"), "utf8")).toBe("101\n");
  expect(existsSync(machine.servicePolicyFile)).toBe(false);
});

test("the policy is gone after a failed install, too", async () => {
  const machine = await debian(CANDIDATE_7, "echo 'E: Unable to fetch some archives' >&2; exit 100");

  await expect(apt(machine, said())).rejects.toThrow("apt-get install redis-server: E: Unable to fetch some archives");

  expect(existsSync(machine.servicePolicyFile)).toBe(false);
});

test("a policy of the administrator's stays as it is", async () => {
  const machine = await debian(CANDIDATE_7);
  await writeFile(machine.servicePolicyFile, "#!/bin/sh\nexit 104\n", { mode: 0o755 });

  await apt(machine, said());

  expect(await readFile(machine.servicePolicyFile, "utf8")).toBe("#!/bin/sh\nexit 104\n");
});

test("the installed service does not start at the next boot", async () => {
  const machine = await debian(CANDIDATE_7);
  await program(machine.path, "update-rc.d", `echo "$@" > "${join(machine.path, "boot")}"`);

  await apt(machine, said());

  expect(await readFile(join(machine.path, "boot"), "utf8")).toBe("redis-server disable\n");
});

test.for([
  [
    "older than 7.0",
    "echo '  Installed: (none)'; echo '  Candidate: 5:6.0.16-1ubuntu1'",
    "offers redis-server 5:6.0.16-1ubuntu1 only",
  ],
  ["unknown to apt", "echo '  Installed: (none)'; echo '  Candidate: (none)'", "there is no package redis-server"],
  [
    "in use already",
    "echo '  Installed: 5:6.0.16-1'; echo '  Candidate: 5:7.0.15-1'",
    "5:6.0.16-1 is installed already",
  ],
] as const)("a package that is %s is not installed", async ([, policy, reason]) => {
  const machine = await debian(policy);

  await expect(apt(machine, said())).rejects.toThrow(reason);

  expect(await calls(machine)).toEqual(["update"]);
});

test("nobody but root is offered apt", async () => {
  const machine = await debian(CANDIDATE_7);

  expect(await apt({ ...machine, root: false }, said())).toBeUndefined();
});

/** A machine whose apt-get notes its calls, asks the policy as Debian's packages do, and installs a redis-server 7. */
async function debian(policy: string, failure = ""): Promise<Machine> {
  const machine = await bareMachine({ root: true });
  const { path, servicePolicyFile } = machine;
  await program(path, "apt-cache", policy);
  for (const tool of ["rm", "chmod"]) await program(path, tool, `exec /bin/${tool} "$@"`);
  await program(
    path,
    "apt-get",
    `echo "$@" >> "${path}/calls"
[ "$1" = install ] || exit 0
${failure}
"${servicePolicyFile}" redis-server start; echo $? > "${path}/policy-answer"
printf '#!/bin/sh\\necho Redis server v=7.0.15\\n' > "${path}/redis-server"
chmod 755 "${path}/redis-server"`,
  );
  return machine;
}

async function calls(machine: Machine): Promise<string[]> {
  return (await readFile(join(machine.path, "calls"), "utf8")).trim().split("\n");
}
