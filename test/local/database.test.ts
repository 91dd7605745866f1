import { createServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { assertRedisAnswers, assertUpstashAnswers } from "../../local/database.ts";
import { READ_ONLY_TOKEN } from "../../local/settings.ts";
import { useRedis } from "../support/redis.ts";
import { listen } from "../support/servers.ts";
import { useStore } from "../support/store.ts";

/** Nothing can listen on it without being root, and no system puts Redis there. */
const CLOSED_PORT = 1;

const store = useStore();
const redis = useRedis();

async function started(server: Server): Promise<string> {
  const url = await listen(server);
  onTestFinished(() => void server.close());
  return url;
}

test("an Upstash database that cannot be reached is reported in one line", async () => {
  await expect(assertUpstashAnswers(`http://127.0.0.1:${CLOSED_PORT}`, "a")).rejects.toThrow(
    /^Nothing answers at http:\/\/127\.0\.0\.1:1 \(.+\): correct UPSTASH_REDIS_REST_URL, or unset it .+$/,
  );
});

test("a token that Upstash refuses is reported in one line, which does not have the token", async () => {
  await expect(assertUpstashAnswers(store.url, "not-the-token")).rejects.toThrow(
    /^The token is refused at http\S+: copy UPSTASH_REDIS_REST_TOKEN from (?!.*not-the-token).+$/,
  );
});

test("a token that may only read is reported in one line", async () => {
  await expect(assertUpstashAnswers(store.url, READ_ONLY_TOKEN)).rejects.toThrow(
    /^The token may only read at http\S+: set UPSTASH_REDIS_REST_TOKEN to the standard one$/,
  );
});

test("another web server at the address is reported in one line", async () => {
  const url = await started(createServer((_, response) => response.writeHead(404).end("<html>")));

  await expect(assertUpstashAnswers(url, "a")).rejects.toThrow(
    `What answers at ${url} is no Upstash database (status 404): correct UPSTASH_REDIS_REST_URL`,
  );
});

test("another reason of Upstash's is quoted", async () => {
  const limit = '{"error":"ERR max daily request limit exceeded"}';
  const url = await started(createServer((_, response) => response.writeHead(400).end(limit)));

  await expect(assertUpstashAnswers(url, "a")).rejects.toThrow(
    `The database at ${url} refuses requests (ERR max daily request limit exceeded): see Upstash's console`,
  );
});

test("a Redis that cannot be reached is reported in one line, without the password", async () => {
  await expect(assertRedisAnswers(`redis://me:secret@127.0.0.1:${CLOSED_PORT}`)).rejects.toThrow(
    /^No Redis answers at 127\.0\.0\.1:1 \((?!.*secret).+\): start it, correct REDIS_URL, or unset it to .+$/,
  );
});

test("a program that takes the connection and never answers is reported in one line", async () => {
  const { host } = new URL(await started(createTcpServer(() => undefined)));

  await expect(assertRedisAnswers(`redis://${host}`, 100)).rejects.toThrow(/^No Redis answers at .+: start it, .+$/);
});

test("a password that Redis refuses is reported in one line, without it", async () => {
  const { host } = new URL(redis.url);

  await expect(assertRedisAnswers(`redis://nobody:secret@${host}`)).rejects.toThrow(
    /^The Redis at \S+ refuses the connection \(WRONGPASS(?!.*secret).+\): correct the user and the password in REDIS_URL$/,
  );
});

test("a Redis older than 7.0 is reported in one line", async () => {
  const info = "# Server\r\nredis_version:6.2.14\r\n";
  const old = createTcpServer((socket) => {
    socket.on("data", () => socket.write(`$${info.length}\r\n${info}\r\n`));
    socket.on("error", () => undefined);
  });
  const { host } = new URL(await started(old));

  await expect(assertRedisAnswers(`redis://${host}`)).rejects.toThrow(
    `The Redis at ${host} is version 6.2.14: set REDIS_URL to one of 7.0 or newer, or unset it`,
  );
});
