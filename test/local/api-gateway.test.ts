import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { emulateApiGateway, limitConcurrency, startedApiServer } from "../../local/api-gateway.ts";
import { freePorts } from "../support/servers.ts";

const SHOP = "https://shop.example";

/** What a function gets of a request, and ways to fail. */
const FUNCTIONS = `
export const echo = async ({ headers, body, isBase64Encoded, rawPath }) => ({
  statusCode: 200,
  body: JSON.stringify({ headers, body, isBase64Encoded, rawPath }),
});
export const crash = async () => { throw new TypeError("a bug"); };
export const hang = () => new Promise(() => {});`;

const Echo = z.object({
  headers: z.record(z.string(), z.string()),
  body: z.string().nullable(),
  isBase64Encoded: z.boolean(),
});

interface Offline {
  start(): Promise<void>;
  end(skipExit: boolean): Promise<void>;
}

let folder: string;
let offline: Offline;
let port: number;

beforeAll(async () => {
  const ports = await freePorts("http", "lambda");
  port = Number(ports.http);
  folder = await mkdtemp(join(tmpdir(), "orders-test-"));
  offline = await serverlessOffline({ httpPort: port, lambdaPort: Number(ports.lambda) });
  await offline.start();
  emulateApiGateway(await startedApiServer([offline]), [SHOP]);
});

afterAll(async () => {
  await offline.end(true);
  await rm(folder, { recursive: true });
});

describe("the event of a function", () => {
  test.for([
    '{"id":"tea","quantity":1}',
    '"{\\"id\\":\\"tea\\",\\"quantity\\":1}"',
    '""',
    "null",
    "0",
    "false",
    " [1] ",
    "{not json",
  ])("has the JSON body %o as it was sent", async (body) => {
    const event = await echo({ "content-type": "application/json" }, body);

    expect(event).toMatchObject({ body, isBase64Encoded: false, headers: { "content-type": "application/json" } });
  });

  test("has duplicate headers joined by a comma, whatever their case, and cookies that RFC 6265 does not allow", async () => {
    const { headers } = await echo([
      ["Idempotency-Key", "one"],
      ["idempotency-key", "two"],
      ["X-Other", "a, b"],
      ["Cookie", 'a="b c"; ='],
    ]);

    expect(headers).toMatchObject({ "idempotency-key": "one,two", "x-other": "a, b", cookie: 'a="b c"; =' });
  });

  test.for<[Record<string, string>, string]>([
    [{ "content-type": "json" }, "json"],
    [
      { "content-type": "application/json; charset=utf-8; charset=latin1" },
      "application/json; charset=utf-8; charset=latin1",
    ],
    [{ "content-type": "text/plain" }, "text/plain"],
    [{ "content-type": "" }, "application/octet-stream"],
    [{}, "application/octet-stream"],
  ])("has of the headers %j the Content-Type %s", async ([sent, type]) => {
    expect((await echo(sent)).headers["content-type"]).toBe(type);
  });
});

describe("the reply", () => {
  test.for([
    ["of a function that took too long", "/hang", "{}", 503, "Service Unavailable"],
    ["of a function that crashed", "/crash", "{}", 500, "Internal Server Error"],
    ["to a path that is no path", "/%zz/echo", "{}", 400, "Bad Request"],
    ["to a body of more than 10 MB", "/echo", " ".repeat(10 * 1024 * 1024 + 1), 413, "Request Entity Too Large"],
  ] as const)("%s is a message", async ([, path, body, status, message]) => {
    const reply = await send(path, { "content-type": "application/json" }, body);

    expect(reply).toMatchObject({ status, body: JSON.stringify({ message }) });
    expect(reply.headers).toMatch(/content-type: application\/json/i);
  });

  test.for([
    [SHOP, true],
    ["https://shop.example.com", false],
    ["http://shop.example", false],
    ["null", false],
  ] as const)("to a page of %s has CORS headers: %s", async ([origin, allowed]) => {
    for (const path of ["/echo", "/crash", "/%zz"]) {
      const { headers } = await send(path, { origin }, "{}");

      expect(/access-control-allow-origin/i.test(headers)).toBe(allowed);
    }
  });
});

test("a route with a limit has more requests wait, and one that fails gives its place to the next", async () => {
  const replies = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const handler = vi.fn((index: number) => replies[index]?.promise);
  const route = { settings: { handler } };
  limitConcurrency({ info: { started: 1 }, ext: () => {}, table: () => [route] }, 1);

  const [first, second] = [route.settings.handler(0), route.settings.handler(1)];
  await setImmediate();
  expect(handler.mock.calls).toEqual([[0, undefined]]);
  replies[0]?.reject(new Error("failed"));
  replies[1]?.resolve("second");

  await expect(first).rejects.toThrow("failed");
  expect(await second).toBe("second");
});

/** serverless-offline itself, with a function for each route, in this process. */
async function serverlessOffline(ports: { httpPort: number; lambdaPort: number }): Promise<Offline> {
  await writeFile(join(folder, "functions.mjs"), FUNCTIONS);
  const functions: Record<string, object> = {
    echo: { handler: "functions.echo", events: [{ httpApi: "POST /echo" }] },
    crash: { handler: "functions.crash", events: [{ httpApi: "POST /crash" }] },
    hang: { handler: "functions.hang", timeout: 1, events: [{ httpApi: "POST /hang" }] },
    other: { handler: "functions.echo", events: [{ httpApi: "*" }] },
  };
  const service = {
    custom: {},
    provider: {
      name: "aws",
      region: "eu-central-1",
      runtime: "nodejs24.x",
      stage: "dev",
      httpApi: { payload: "2.0", cors: { allowedOrigins: [SHOP] } },
    },
    functions,
    getAllFunctions: () => Object.keys(functions),
    getFunction: (name: string) => functions[name],
    getAllEventsInFunction: (name: string) => z.object({ events: z.unknown() }).parse(functions[name]).events,
  };
  const log = Object.fromEntries(["debug", "error", "info", "notice", "warning"].map((level) => [level, () => {}]));
  const options = { ...ports, host: "127.0.0.1", noSponsor: true, useInProcess: true, disableCookieValidation: true };
  // It has no types.
  const name: string = "serverless-offline";
  const { default: ServerlessOffline } = await import(name);
  return new ServerlessOffline({ service, serviceDir: folder, config: { servicePath: folder } }, options, { log });
}

async function echo(headers: Headers, body = "{}") {
  return Echo.parse(JSON.parse((await send("/echo", headers, body)).body));
}

type Headers = Record<string, string> | [string, string][];

/** POST, byte for byte: fetch and node:http normalize paths and headers. */
async function send(path: string, headers: Headers, body: string) {
  const lines = (Array.isArray(headers) ? headers : Object.entries(headers)).map((pair) => pair.join(": "));
  const socket = connect(port, "127.0.0.1");
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  socket.write(
    [`POST ${path} HTTP/1.1`, "Host: localhost", "Connection: close", length, ...lines, "", body].join("\r\n"),
  );
  const reply = await text(socket);
  const [head = "", ...rest] = reply.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), headers: head, body: rest.join("\r\n\r\n") };
}
