import { afterEach, expect, test, vi } from "vitest";
import { readEnv } from "../../lib/env.ts";
import { SchedulerEnv } from "../../lib/integrations/completion-scheduler.ts";
import { InventoryEnv } from "../../lib/integrations/inventory.ts";
import { OrderRetentionEnv } from "../../lib/orders/retention.ts";
import { RedisEnv } from "../../lib/redis/client.ts";

const BASE_URL = "must be an http or https URL without query, fragment and credentials";
const UPSTASH_URL = "must be https, except on this machine";
const REDIS = { UPSTASH_REDIS_REST_URL: "https://eu1.upstash.io", UPSTASH_REDIS_REST_TOKEN: "secret-token" };

afterEach(() => void vi.unstubAllEnvs());

function setEnv(env: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

test.for<[Record<string, string | undefined>, string]>([
  [{ UPSTASH_REDIS_REST_URL: undefined }, "UPSTASH_REDIS_REST_URL"],
  [{ UPSTASH_REDIS_REST_URL: "secret no url" }, `UPSTASH_REDIS_REST_URL (${BASE_URL})`],
  [{ UPSTASH_REDIS_REST_URL: "http://eu1.upstash.io" }, `UPSTASH_REDIS_REST_URL (${UPSTASH_URL})`],
  [{ UPSTASH_REDIS_REST_URL: "http://10.0.0.5:8079" }, `UPSTASH_REDIS_REST_URL (${UPSTASH_URL})`],
  [{ UPSTASH_REDIS_REST_URL: "http://localhost.example.com" }, `UPSTASH_REDIS_REST_URL (${UPSTASH_URL})`],
  [
    { UPSTASH_REDIS_REST_URL: undefined, UPSTASH_REDIS_REST_TOKEN: "" },
    "UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN",
  ],
])("what is missing or malformed is named, without any value: %o", ([change, names]) => {
  setEnv({ ...REDIS, ...change });

  expect(() => readEnv(RedisEnv)).toThrow(new Error(`Missing or malformed environment variables: ${names}`));
});

test.for(["https://eu1.upstash.io", "http://127.0.0.1:8079", "http://localhost:8079", "http://[::1]:8079"])(
  "%s is encrypted, or never leaves the machine",
  (UPSTASH_REDIS_REST_URL) => {
    setEnv({ ...REDIS, UPSTASH_REDIS_REST_URL });

    expect(readEnv(RedisEnv)).toEqual({ ...REDIS, UPSTASH_REDIS_REST_URL });
  },
);

test.for([undefined, "", "http://127.0.0.1:8000", "https://inventory.example.com/shop/"])(
  "%o is an inventory's address, or none",
  (url) => {
    setEnv({ INVENTORY_URL: url });

    expect(readEnv(InventoryEnv)).toEqual(url === undefined ? {} : { INVENTORY_URL: url });
  },
);

test.for([
  "inventory.example.com",
  "ftp://inventory.example.com",
  "https://inventory.example.com/?shop=1",
  "https://inventory.example.com/#shop",
  "https://user:secret@inventory.example.com",
])("%s is no inventory's address", (url) => {
  setEnv({ INVENTORY_URL: url });

  expect(() => readEnv(InventoryEnv)).toThrow(new Error("Missing or malformed environment variables: INVENTORY_URL"));
});

test.for([
  [undefined, 0],
  ["", 0],
  ["0", 0],
  ["36500", 36_500],
] as const)("orders are kept %o days: %d", ([days, kept]) => {
  setEnv({ ORDER_RETENTION_DAYS: days });

  expect(readEnv(OrderRetentionEnv)).toEqual({ ORDER_RETENTION_DAYS: kept });
});

test.for(["-1", "1.5", "30d", "36501"])("orders are not kept %o days", (days) => {
  setEnv({ ORDER_RETENTION_DAYS: days });

  expect(() => readEnv(OrderRetentionEnv)).toThrow("ORDER_RETENTION_DAYS");
});

test("every missing variable of the scheduler is named", () => {
  setEnv({ SCHEDULE_GROUP: "", SCHEDULE_TARGET_ARN: "secret", SCHEDULE_ROLE_ARN: undefined });
  setEnv({ SCHEDULE_DEAD_LETTER_ARN: "arn:aws:sqs:eu-central-1:123456789012:queue" });

  expect(() => readEnv(SchedulerEnv)).toThrow(/: SCHEDULE_GROUP, SCHEDULE_TARGET_ARN, SCHEDULE_ROLE_ARN$/);
});
