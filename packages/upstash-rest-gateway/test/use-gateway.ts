import { afterAll, beforeAll } from "vitest";
import type { TestRedis } from "../../../test/support/redis.ts";
import { startUpstashGateway, type UpstashGateway } from "../src/gateway.ts";
import type { Limits } from "../src/limits.ts";

export const TOKEN = "test-token";
export const READ_ONLY_TOKEN = "test-read-only-token";

export interface Answer {
  readonly status: number;
  /** The body as it came, for numbers that a double cannot hold. */
  readonly text: string;
  readonly json: unknown;
}

export interface TestGateway {
  readonly url: string;
  /** What `new Redis(…)` of @upstash/redis takes. */
  readonly clientConfig: { readonly url: string; readonly token: string };
  /** Posts `body` as JSON with the standard token, unless `headers` says otherwise. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  fetch(path: string, request?: RequestInit): Promise<Answer>;
}

/** A gateway over `redis` for the calling test file, with limits of its own where it has some. */
export function useGateway(redis: TestRedis, limits: Partial<Limits> = {}): TestGateway {
  let gateway: UpstashGateway | undefined;
  beforeAll(async () => {
    gateway = await startUpstashGateway({ redisUrl: redis.url, token: TOKEN, readOnlyToken: READ_ONLY_TOKEN, limits });
  });
  afterAll(() => gateway?.stop());

  return gatewayAt(() => {
    if (!gateway) throw new Error("the gateway runs inside hooks and tests only: read it there");
    return gateway.url;
  });
}

/** The same view of a gateway that a test started by itself. */
export function gatewayAt(url: () => string): TestGateway {
  async function send(path: string, request: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${url()}${path}`, {
      ...request,
      headers: { authorization: `Bearer ${TOKEN}`, ...request.headers },
    });
    const text = await response.text();
    return { status: response.status, text, json: text === "" ? undefined : JSON.parse(text) };
  }

  return {
    get url() {
      return url();
    },
    get clientConfig() {
      return { url: url(), token: TOKEN };
    },
    post: (path, body, headers = {}) => send(path, { method: "POST", body: JSON.stringify(body), headers }),
    fetch: send,
  };
}
