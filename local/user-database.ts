import { createClient, ErrorReply } from "redis";
import { z } from "zod";
import { parseJson } from "./parse-json.ts";
import { reasonOf } from "./reason.ts";
import { isNewEnough } from "./redis/version.ts";

/** Longer than a first connection around the world takes, short enough to wait for. */
const PATIENCE_MS = 5_000;

/** It changes nothing, and a token that may only read is refused it. */
const PROBE = ["EVAL", "return 1", "0"];

const UpstashError = z.object({ error: z.string() });

/** What Redis says to a wrong user or password; it refuses for other reasons too, such as LOADING. */
const LOGIN_REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH)/;

/**
 * Makes sure that the user's own Upstash database answers and that the token may write.
 * @throws Error in one line that says which variable to look at
 */
export async function assertUpstashAnswers(url: string, token: string): Promise<void> {
  const { status, said } = await ask(url, token).catch((cause: unknown) => {
    const remedy = "correct UPSTASH_REDIS_REST_URL, or unset it and UPSTASH_REDIS_REST_TOKEN to have a Redis started";
    throw new Error(`Nothing answers at ${url} (${reasonOf(cause)}): ${remedy}`, { cause });
  });
  if (status === 200) return;
  if (status === 401) {
    const remedy = "copy UPSTASH_REDIS_REST_TOKEN from the database's page in Upstash's console again";
    throw new Error(`The token is refused at ${url}: ${remedy}`);
  }
  if (said.includes("NOPERM")) {
    const remedy = "set UPSTASH_REDIS_REST_TOKEN to the standard one";
    throw new Error(`The token may only read at ${url}: ${remedy}`);
  }
  const reason = UpstashError.safeParse(parseJson(said));
  if (reason.success) {
    throw new Error(`The database at ${url} refuses (${reason.data.error}): mend that in Upstash's console`);
  }
  throw new Error(`What answers at ${url} is no Upstash database (status ${status}): correct UPSTASH_REDIS_REST_URL`);
}

/**
 * Makes sure that the user's own Redis answers and is one whose commands the scripts may use.
 * @throws Error in one line that says what to do; it has the host, never the password
 */
export async function assertRedisAnswers(url: string, patienceMs = PATIENCE_MS): Promise<void> {
  const { host } = new URL(url);
  const info = await serverInfo(url, patienceMs).catch((cause: unknown) => {
    if (cause instanceof ErrorReply) {
      const remedy = LOGIN_REFUSED.test(cause.message)
        ? "correct the user and the password in REDIS_URL"
        : "mend that, or unset REDIS_URL to have a Redis started";
      throw new Error(`The Redis at ${host} refuses (${cause.message}): ${remedy}`, { cause });
    }
    const remedy = "start it, correct REDIS_URL, or unset it to have one started";
    throw new Error(`No Redis answers at ${host} (${reasonOf(cause)}): ${remedy}`, { cause });
  });
  const version = /^redis_version:(.+)$/m.exec(info)?.[1]?.trim() ?? "";
  if (!isNewEnough(version)) {
    throw new Error(`The Redis at ${host} is version ${version}: set REDIS_URL to one of 7.0 or newer, or unset it`);
  }
}

async function ask(url: string, token: string): Promise<{ status: number; said: string }> {
  const reply = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(PROBE),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return { status: reply.status, said: await reply.text() };
}

async function serverInfo(url: string, patienceMs: number): Promise<string> {
  const client = createClient({
    url,
    // Plain enough for a Redis that is too old, so that it can be told.
    RESP: 2,
    disableClientInfo: true,
    maintNotifications: "disabled",
    socket: { reconnectStrategy: false, connectTimeout: patienceMs },
  });
  // connect() rejects with the same error.
  client.on("error", () => undefined);
  // Whoever holds the port may accept the connection and never say a word.
  const late = setTimeout(() => client.destroy(), patienceMs);
  try {
    await client.connect();
    return await client.info("server");
  } finally {
    clearTimeout(late);
    if (client.isOpen) client.destroy();
  }
}
