import { expect, test } from "vitest";
import { useRedis } from "../../support/redis.ts";

const redis = useRedis();

test.for(["first", "second"])("the %s test of a file finds no keys and no cached scripts", async () => {
  const script = "return 1";
  const sha = await redis.client.scriptLoad("return 2");

  expect(await redis.client.dbSize()).toBe(0);
  await expect(redis.client.evalSha("e0e1f9fabfc9d4800c877a703b823ac0578ff8db")).rejects.toThrow("NOSCRIPT");

  await redis.client.set("left", "behind");
  await redis.client.eval(script);
  expect(await redis.client.evalSha(sha)).toBe(2);
});
