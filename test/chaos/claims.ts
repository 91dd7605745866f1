import type { ChaosDatabase } from "./database.ts";

/** A claim lasts for 30 s; of an instance that has died this many ms are enough, as no call of its is slower on its way. */
const LEFT_MS = 5_000;

const CLAIM = /"(idempotency:\w+)","(claim:\w+)"/;

const SHORTEN = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`;

/** Lets the time of claims pass faster whose instance can do nothing with them any more. */
export interface Claims {
  /** Learns what an instance claims from its call of Redis. */
  learn(body: string, instanceId: string): void;
  /** The instance has ended. */
  shorten(instanceId: string): Promise<void>;
}

export function createClaims(database: ChaosDatabase): Claims {
  const claims = new Map<string, { key: string; claim: string }>();

  return {
    learn(body, instanceId) {
      const [, key, claim] = CLAIM.exec(body) ?? [];
      if (key !== undefined && claim !== undefined) claims.set(instanceId, { key, claim });
    },
    async shorten(instanceId) {
      const held = claims.get(instanceId);
      if (!held) return;
      claims.delete(instanceId);
      const options = { keys: [held.key], arguments: [held.claim, String(LEFT_MS)] };
      await database.direct((client) => client.eval(SHORTEN, options));
    },
  };
}
