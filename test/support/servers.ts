import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

const DAY_MS = 86_400_000;

/** DER tags, and the object identifiers as bytes (X.690, RFC 5280, RFC 5758). */
const [INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8, UTC_TIME, SEQUENCE, SET] = [2, 3, 4, 6, 12, 23, 48, 49];
const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Has `server` listen on a free port of the loopback interface, and returns its `http:` address. */
export async function listen(server: Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("The server listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

/** A free port of the loopback interface for each variable, as an environment; they stay free until someone takes them. */
export async function freePorts(...variables: string[]): Promise<Record<string, string>> {
  const servers = variables.map(() => createServer());
  const urls = await Promise.all(servers.map(listen));
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return Object.fromEntries(variables.map((variable, index) => [variable, new URL(urls[index] ?? "").port]));
}

/** Whether a connection is accepted there: a process id would also be that of one that is dead and not yet collected. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A server that answers as told, for as long as the test runs. */
export async function answering(respond: RequestListener): Promise<string> {
  const server = createHttpServer(respond);
  onTestFinished(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  });
  return listen(server);
}

/** A server that takes connections and never says anything. */
export async function silent(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), "close");
  });
  return listen(server);
}

/** The address of a port on which nobody listens. */
export async function refused(): Promise<string> {
  const server = createServer();
  const url = await listen(server);
  await once(server.close(), "close");
  return url;
}

/** An answer of this status and JSON. */
export function json(status: number, body: unknown): RequestListener {
  return (_request, response) => response.writeHead(status).end(JSON.stringify(body));
}

/** An answer of this status and text. */
export function text(status: number, body: string): RequestListener {
  return (_request, response) => response.writeHead(status).end(body);
}

/** The beginning of an answer, of which the rest never comes: its connection ends. */
export function half(body: string): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "content-length": 2 * body.length }).write(body, () => response.destroy());
  };
}

/** A certificate for a DNS name that no authority has signed, valid today. Node.js makes keys, but no certificates. */
export function selfSigned(dnsName: string): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(SEQUENCE, oid(ECDSA_WITH_SHA256));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, oid(COMMON_NAME), der(UTF8, dnsName))));
  const altNames = der(SEQUENCE, der(0x82, dnsName));
  const toBeSigned = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.of(1)),
    algorithm,
    name,
    der(SEQUENCE, time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, der(SEQUENCE, oid(SUBJECT_ALT_NAME), der(OCTET_STRING, altNames)))),
  );
  const signature = der(BIT_STRING, Buffer.of(0), sign("sha256", toBeSigned, privateKey));
  const base64 = der(SEQUENCE, toBeSigned, algorithm, signature).toString("base64");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`,
  };
}

/** @param contents shorter than 64 KB in all */
function der(tag: number, ...contents: (Buffer | string)[]): Buffer {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part)));
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}

const oid = (hex: string): Buffer => der(OID, Buffer.from(hex, "hex"));

/** `YYMMDDhhmmssZ` */
const time = (ms: number): Buffer => der(UTC_TIME, `${new Date(ms).toISOString().replaceAll(/\D/g, "").slice(2, 14)}Z`);
