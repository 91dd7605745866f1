import { readFile } from "node:fs/promises";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createHttpClient, type HttpRequest } from "../../lib/http-client.ts";
import { listen } from "../../local/ports.ts";
import { answering, silent, text } from "../support/servers.ts";

const MAX_BYTES = 1_000;
const REQUEST: HttpRequest = { method: "POST", path: "/pipeline", headers: {}, body: "[]", timeoutMs: 5_000 };
const SHORT_MS = 100;

const clientOf = (url: string) => createHttpClient(url, MAX_BYTES);

/** A server that tells what it got, with the number of its connection. */
async function recording(answer: RequestListener) {
  const requests: { connection: number; headers: IncomingMessage["headers"]; path: string; body: string }[] = [];
  const sockets: Socket[] = [];
  const url = await answering(async (request, response) => {
    if (!sockets.includes(request.socket)) sockets.push(request.socket);
    const body = (await request.toArray()).join("");
    const connection = sockets.indexOf(request.socket) + 1;
    requests.push({ connection, headers: request.headers, path: request.url ?? "", body });
    answer(request, response);
  });
  return { url, requests, connections: () => requests.map(({ connection }) => connection) };
}

test("a request arrives as it is, below the path of the base URL, and asks for no compression", async () => {
  const { url, requests } = await recording(text(200, "yes"));

  const reply = await clientOf(`${url}/redis/`)({ ...REQUEST, headers: { "x-token": "a" }, body: '["ä\u{1F600}"]' });

  expect(reply).toMatchObject({ status: 200, body: "yes" });
  expect(requests).toMatchObject([
    { path: "/redis/pipeline", body: '["ä\u{1F600}"]', headers: { "x-token": "a", "accept-encoding": "identity" } },
  ]);
});

describe("a reply", () => {
  test.for<[string, RequestListener, { status: number; body: string }]>([
    ["that redirects", (_, response) => response.writeHead(302, { location: "/" }).end(), { status: 302, body: "" }],
    ["with a byte order mark", text(200, "\uFEFF{}"), { status: 200, body: "{}" }],
    [
      "in pieces that cut a character",
      (_, response) => {
        const [first, ...rest] = Buffer.from("ä");
        response.write(Buffer.of(first ?? 0));
        setImmediate(() => response.end(Buffer.from(rest)));
      },
      { status: 200, body: "ä" },
    ],
    ["of the largest size", text(200, "x".repeat(MAX_BYTES)), { status: 200, body: "x".repeat(MAX_BYTES) }],
  ])("%s is returned whole", async ([, answer, reply]) => {
    expect(await clientOf(await answering(answer))(REQUEST)).toMatchObject(reply);
  });

  test("that is larger is not read to its end", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const url = await answering((_request, response) => {
      response.on("close", resolve);
      const more = () => {
        while (response.write("x".repeat(MAX_BYTES)));
        response.once("drain", more);
      };
      more();
    });

    await expect(clientOf(url)(REQUEST)).rejects.toThrow("more than 1000 bytes");

    await closed;
  });
});

describe("a kept connection that the server closed", () => {
  /** Answers the first request of a connection, and breaks it off at the second: it was closed, unnoticed so far. */
  const onceEach = (breakOff: (socket: Socket) => unknown): RequestListener => {
    const used = new WeakSet<Socket>();
    return ({ socket }, response) => {
      if (used.has(socket)) breakOff(socket);
      else response.end("yes");
      used.add(socket);
    };
  };

  test.for<[string, (socket: Socket) => unknown]>([
    ["closed", (socket) => socket.destroy()],
    ["reset", (socket) => socket.resetAndDestroy()],
  ])("has its request sent again on a new one: %s", async ([, breakOff]) => {
    const { url, connections } = await recording(onceEach(breakOff));
    const send = clientOf(url);
    await send(REQUEST);

    expect(await send(REQUEST)).toMatchObject({ status: 200, body: "yes" });
    expect(connections()).toEqual([1, 1, 2]);
  });

  test("does not give the request more time", async () => {
    const used = new WeakSet<Socket>();
    let answers = 0;
    const url = await answering(({ socket }, response) => {
      if (used.has(socket)) socket.destroy();
      else if (answers === 0) response.end();
      used.add(socket);
      answers += 1;
    });
    const send = clientOf(url);
    await send(REQUEST);
    const startedAt = performance.now();

    await expect(send({ ...REQUEST, timeoutMs: 3 * SHORT_MS })).rejects.toMatchObject({ name: "TimeoutError" });

    expect(answers).toBe(3);
    expect(performance.now() - startedAt).toBeLessThan(6 * SHORT_MS);
  });
});

describe("a new connection that breaks is an error of the caller's, who knows when to send again:", () => {
  test.for<[string, RequestListener]>([
    ["before the reply", ({ socket }) => socket.destroy()],
    [
      "within its head",
      ({ socket }) => {
        socket.end("HTTP/1.1 200 OK\r\nContent-Le");
      },
    ],
    [
      "within its body",
      (_request, response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.destroy());
      },
    ],
  ])("%s", async ([, answer]) => {
    const { url, requests } = await recording(answer);

    await expect(clientOf(url)(REQUEST)).rejects.toMatchObject({ code: "ECONNRESET" });

    expect(requests).toHaveLength(1);
  });
});

test("a kept connection that breaks within the reply was not idle, and nothing is sent again", async () => {
  const { url, requests, connections } = await recording(({ socket }, response) => {
    if (requests.length === 1) response.end();
    else
      response
        .writeHead(200, { "content-length": "100" })
        .write("half", () => setImmediate(() => socket.resetAndDestroy()));
  });
  const send = clientOf(url);
  await send(REQUEST);

  await expect(send(REQUEST)).rejects.toMatchObject({ code: "ECONNRESET" });

  expect(connections()).toEqual([1, 1]);
});

describe("no whole reply in time is a TimeoutError, and ends the connection:", () => {
  test.for<[string, () => Promise<string>]>([
    ["no reply", silent],
    ["no end of the TLS handshake", async () => (await silent()).replace("http:", "https:")],
    [
      "a body that drips",
      () =>
        answering((_request, response) => {
          const dripping = setInterval(() => response.write("."), SHORT_MS / 10);
          response.on("close", () => clearInterval(dripping));
        }),
    ],
  ])("%s", async ([, server]) => {
    const url = await server();

    const sending = clientOf(url)({ ...REQUEST, timeoutMs: SHORT_MS });

    await expect(sending).rejects.toMatchObject({ name: "TimeoutError", message: expect.stringContaining("100 ms") });
  });
});

test("a request without a reply in time is not sent again, whatever its connection", async () => {
  const { url, requests } = await recording((_request, response) => {
    if (requests.length !== 2) response.end();
  });
  const send = clientOf(url);
  await send(REQUEST);

  await expect(send({ ...REQUEST, timeoutMs: SHORT_MS })).rejects.toMatchObject({ name: "TimeoutError" });

  for (let sent = 0; sent < 3; sent += 1) await send(REQUEST);
  expect(requests).toHaveLength(5);
});

test.for<[string, RequestListener]>([
  ["a reply", text(200, "yes")],
  ["a broken connection", ({ socket }) => socket.destroy()],
])("%s leaves no timer behind", async ([, answer]) => {
  const url = await answering(answer);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());

  const sending = clientOf(url)(REQUEST);

  expect(vi.getTimerCount()).toBe(1);
  await sending.catch(() => undefined);
  expect(vi.getTimerCount()).toBe(0);
});

/** A certificate and its key. */
const LOCALHOST = await readFile(new URL("../support/localhost.pem", import.meta.url), "utf8");

describe("TLS", () => {
  const trusted = getCACertificates();

  async function tlsServer(answer: RequestListener) {
    const connections: { resumed: boolean }[] = [];
    const server = createServer({ key: LOCALHOST, cert: LOCALHOST }, answer);
    server.on("secureConnection", (socket: TLSSocket) => connections.push({ resumed: socket.isSessionReused() }));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: (await listen(server)).replace("http://127.0.0.1", "https://localhost"), connections };
  }

  test("with a certificate that nobody trusts is refused before anything is sent", async () => {
    const requests: IncomingMessage[] = [];
    const { url } = await tlsServer((request) => requests.push(request));

    await expect(clientOf(url)(REQUEST)).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });

    expect(requests).toEqual([]);
  });

  test("resumes its session on a new connection", async () => {
    setDefaultCACertificates([...trusted, LOCALHOST]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const { url, connections } = await tlsServer((_, response) => response.setHeader("connection", "close").end());
    const send = clientOf(url);

    await send(REQUEST);
    await send(REQUEST);

    expect(connections).toEqual([{ resumed: false }, { resumed: true }]);
  });
});
