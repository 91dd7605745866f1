import { afterAll, beforeAll } from "vitest";
import type { Faults } from "../src/faults.ts";
import { startUpstashGateway, type UpstashGateway } from "../src/gateway.ts";
import type { Limits } from "../src/limits.ts";
import type { UpstashGatewayOptions } from "../src/options.ts";

export const TOKEN = "test-token";
export const READ_ONLY_TOKEN = "test-read-only-token";

/** A gateway over `redis` for the calling test file, with limits of its own where it has some. */
export function useGateway(
  redis: { readonly url: string },
  limits: Partial<Limits> = {},
  others: Partial<UpstashGatewayOptions> = {},
) {
  let gateway: UpstashGateway | undefined;
  beforeAll(async () => {
    const tokens = { token: TOKEN, readOnlyToken: READ_ONLY_TOKEN };
    gateway = await startUpstashGateway({ redisUrl: redis.url, ...tokens, limits, ...others });
  });
  afterAll(() => gateway?.stop());

  function running(): UpstashGateway {
    if (!gateway) throw new Error("the gateway runs inside hooks and tests only: read it there");
    return gateway;
  }
  return Object.assign(
    gatewayAt(() => running().url),
    { setFaults: (faults: Faults) => running().setFaults(faults) },
  );
}

/** The same view of a gateway that a test started by itself. */
export function gatewayAt(url: () => string) {
  /** Sends the standard token, unless the headers say otherwise. */
  async function send(path: string, request: RequestInit = {}) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...request.headers };
    const response = await fetch(`${url()}${path}`, { ...request, headers });
    const text = await response.text();
    const json: unknown = text === "" ? undefined : JSON.parse(text);
    return { status: response.status, /** As it came, for numbers that a double cannot hold. */ text, json };
  }

  return {
    get url() {
      return url();
    },
    /** What `new Redis(…)` of @upstash/redis takes. */
    get clientConfig() {
      return { url: url(), token: TOKEN };
    },
    /** Posts `body` as JSON. */
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      send(path, { method: "POST", body: JSON.stringify(body), headers }),
    fetch: send,
  };
}
