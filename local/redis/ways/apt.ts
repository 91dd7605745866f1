import { findExecutables, output } from "../executable.ts";
import type { Machine, Say } from "../machine.ts";
import { firstUsable, isNewEnough } from "../version.ts";

/** Where Debian's package puts it, which need not be on PATH. */
const INSTALLED = "/usr/bin/redis-server";
const APT_MS = 10 * 60_000;

/**
 * Debian starts a service as soon as it is installed, unless this file says 101, "forbidden by policy"
 * (invoke-rc.d(8), deb-systemd-invoke(1p)). A file that the machine has already is the administrator's word and stays.
 * A shell rather than Node keeps it, since its trap removes the file on Ctrl-C and when Node is killed, too.
 * The last line keeps the service from starting at the next boot.
 */
const INSTALL_WITHOUT_SERVICE = `set -eu
if [ ! -e "$1" ]; then
  trap 'rm -f -- "$1"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\\nexit 101\\n' > "$1"
  chmod 755 "$1"
fi
apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 redis-server
if command -v update-rc.d > /dev/null; then update-rc.d redis-server disable; fi`;

/** Installs Debian's or Ubuntu's redis-server, as root only; never changes one that is installed already. */
export async function apt(machine: Machine, say: Say): Promise<string | undefined> {
  if (!machine.root || (await findExecutables("apt-get", machine.path)).length === 0) return undefined;
  const options = {
    env: {
      ...process.env,
      PATH: machine.path,
      LC_ALL: "C",
      DEBIAN_FRONTEND: "noninteractive",
      NEEDRESTART_SUSPEND: "1",
    },
    timeout: APT_MS,
    maxBuffer: Number.POSITIVE_INFINITY,
  };

  say("No Redis found: installing redis-server with apt …");
  await output("apt-get update", "apt-get", ["update"], options);
  refuseUseless(await output("apt-cache policy redis-server", "apt-cache", ["policy", "redis-server"], options));
  await output(
    "apt-get install redis-server",
    "/bin/sh",
    ["-c", INSTALL_WITHOUT_SERVICE, "install", machine.servicePolicyFile],
    options,
  );

  const installed = await firstUsable([...(await findExecutables("redis-server", machine.path)), INSTALLED], say);
  if (installed === undefined) throw new Error("apt-get install redis-server: it installed no server that runs");
  return installed;
}

/** Installing a version that is too old, or upgrading a service that is in use, would only harm the machine. */
function refuseUseless(policy: string): void {
  const installed = /^ *Installed: *(\S+)/m.exec(policy)?.[1] ?? "(none)";
  const candidate = /^ *Candidate: *(\S+)/m.exec(policy)?.[1] ?? "(none)";
  if (installed !== "(none)")
    throw new Error(`apt: redis-server ${installed} is installed already and is left as it is`);
  if (candidate === "(none)") throw new Error("apt: there is no package redis-server");
  if (!isNewEnough(candidate)) throw new Error(`apt: it offers redis-server ${candidate} only`);
}
