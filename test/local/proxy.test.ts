import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { answering, text } from "../support/servers.ts";

/** Prints what answers at each local address, for `fetch` and for `node:http`, and what at the remote one. */
const PROGRAM = `
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { bypassProxyForLoopback } from "./local/proxy.ts";
bypassProxyForLoopback();
const byHttp = (url) =>
  new Promise((resolve, reject) => request(url, (reply) => resolve(text(reply))).on("error", reject).end());
const [remote, ...local] = process.argv.slice(1);
for (const url of local) console.log(await (await fetch(url)).text(), await byHttp(url));
console.log(await byHttp(remote));
process.exit();
`;

test.for<NodeJS.ProcessEnv>([
  { NODE_USE_ENV_PROXY: "1" },
  { NODE_OPTIONS: "--use-env-proxy" },
  { NODE_USE_ENV_PROXY: "1", NO_PROXY: "other.example" },
  { NODE_USE_ENV_PROXY: "1", no_proxy: "other.example" },
])("with %j, calls to this machine go past the proxy, and others through it", async (shell) => {
  const proxy = await answering(text(200, "proxy"));
  const local = await answering(text(200, "local"));
  const urls = ["http://inventory.example/", local, local.replace("127.0.0.1", "localhost")];
  const env = { PATH: process.env.PATH, HTTP_PROXY: proxy, ...shell };

  const args = ["--input-type=module", "--eval", PROGRAM, ...urls];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });

  expect(stdout).toBe("local local\nlocal local\nproxy\n");
});
