import { once } from "node:events";
import { createServer, type RequestListener, request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { guardServers, refuseForeignHosts, refuseForeignPages } from "../../local/loopback-guard.ts";
import { freePorts } from "../support/servers.ts";

const OWN_HOSTS = ["localhost", "localhost:3000", "LOCALHOST:1", "127.0.0.1:8079", "[::1]:3002"];
const FOREIGN_HOSTS = [
  undefined,
  "",
  "evil.example:8079",
  "127.0.0.1.evil.example",
  "localhost.evil.example",
  "0.0.0.0",
];

const FOREIGN_PAGES = [
  { what: "an image of another site", headers: { "sec-fetch-site": "cross-site" } },
  { what: "an image of another port of this machine", headers: { "sec-fetch-site": "same-site" } },
  { what: "a form of another origin", headers: { origin: "https://evil.example" } },
  { what: "a form of another port", headers: { origin: "http://127.0.0.1:3000" } },
  { what: "a sandboxed page", headers: { origin: "null", "sec-fetch-site": "same-origin" } },
  { what: "a page behind a rebound name", headers: { host: "evil.example:80", "sec-fetch-site": "same-origin" } },
];

test.for(OWN_HOSTS)("the host %s is served", (host) => {
  expect(refuseForeignHosts({ host })).toBeUndefined();
  expect(refuseForeignPages({ host })).toBeUndefined();
});

test.for(FOREIGN_HOSTS)("the host %s is refused", (host) => {
  expect(refuseForeignHosts({ ...(host !== undefined && { host }) })).toContain("localhost");
  expect(refuseForeignPages({ ...(host !== undefined && { host }) })).toContain("localhost");
});

test.for(FOREIGN_PAGES)("where pages of other origins are refused, $what is", ({ headers }) => {
  expect(refuseForeignPages({ host: "127.0.0.1:8079", ...headers })).toBeDefined();
});

test.for([
  { what: "a program", headers: {} },
  { what: "an address that a person typed", headers: { "sec-fetch-site": "none" } },
  { what: "a page of this port", headers: { origin: "http://127.0.0.1:8079", "sec-fetch-site": "same-origin" } },
])("where pages of other origins are refused, $what is served", ({ headers }) => {
  expect(refuseForeignPages({ host: "127.0.0.1:8079", ...headers })).toBeUndefined();
});

test("the servers of other packages have the guard of their port, before they invoke anything", async () => {
  const { API, OTHER } = await freePorts("API", "OTHER");
  guardServers((port) => (port === Number(API) ? refuseForeignHosts : refuseForeignPages));
  let invocations = 0;
  // Servers of a package which knows of no guard, such as serverless-offline.
  const [api, guarded] = await Promise.all(
    [API, OTHER].map(async (port) => {
      const invoke: RequestListener = (_request, response) => {
        invocations += 1;
        response.end("invoked");
      };
      const server = createServer(invoke).on("checkContinue", invoke);
      await once(server.listen(Number(port), "127.0.0.1"), "listening");
      onTestFinished(() => void server.close());
      return `http://127.0.0.1:${port}`;
    }),
  );
  const headers = { origin: "https://evil.example" };

  expect(await send(guarded, headers)).toMatchObject({ status: 403 });
  expect(await send(guarded, { ...headers, expect: "100-continue" })).toMatchObject({ status: 403 });
  expect(await send(api, { host: "evil.example" })).toMatchObject({ status: 403 });
  expect(invocations).toBe(0);
  expect(await send(guarded)).toEqual({ status: 200, text: "invoked" });
  expect(await send(guarded, { expect: "100-continue" })).toEqual({ status: 200, text: "invoked" });
  expect(await send(api, headers)).toMatchObject({ status: 200 });
});

/** Not by `fetch`, which sets some of these headers itself. */
async function send(url = "", headers: Record<string, string> = {}) {
  const sent = request(url, { method: "POST", headers, agent: false }).end();
  const [reply] = await once(sent, "response");
  return { status: reply.statusCode, text: await text(reply) };
}
