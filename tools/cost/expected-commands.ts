/** What one call of each operation runs on Redis, scripts and what is in them: each is two dollars per million of these calls. */
export const EXPECTED_COMMANDS = {
  create: { evalsha: 1, set: 1, zadd: 1, hset: 1 },
  get: { hgetall: 1 },
  complete: { evalsha: 1, hmget: 1, xadd: 1, hset: 1, zrem: 1 },
  // Reads, settles, and reads again to see that nothing is left.
  drainOne: {
    evalsha: 3,
    xautoclaim: 1,
    xreadgroup: 2,
    xlen: 4,
    xpending: 1,
    xack: 1,
    hget: 1,
    hset: 1,
    zrem: 1,
    xdel: 1,
  },
  drainIdle: { evalsha: 1, xautoclaim: 1, xreadgroup: 1, xlen: 2 },
  sweepIdle: { zrange: 1, zcount: 1, evalsha: 1, exists: 1, "xinfo|groups": 1 },
};
