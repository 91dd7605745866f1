import { z } from "zod";
import { BaseUrl, UpstashUrl } from "../lib/env.ts";

const PORT = "must be a port, 1 to 65535";
const Port = z.coerce.number(PORT).int(PORT).min(1, PORT).max(65_535, PORT);

const DELAY = "must be ms, 0 to 60000";

/** Every environment variable that shapes the local stack. An empty one counts as not set. */
export const Settings = z.object({
  ORDERS_API_PORT: Port.default(3000),
  ORDERS_LAMBDA_PORT: Port.default(3002),
  ORDERS_SCHEDULER_PORT: Port.default(3003),
  ORDERS_UPSTASH_PORT: Port.default(8079),
  ORDERS_REDIS_PORT: Port.optional(),
  ORDERS_DATA_DIR: z.string().optional(),
  ORDERS_SCHEDULER_MAX_DELAY_MS: z.coerce.number(DELAY).int(DELAY).min(0, DELAY).max(60_000, DELAY).default(0),
  ORDERS_SCHEDULER_DELIVER_TWICE: z.stringbool({ error: "must be true or false" }).default(false),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "must be redis://… or rediss://…" }).optional(),
  UPSTASH_REDIS_REST_URL: z.optional(UpstashUrl),
  UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
  INVENTORY_URL: z.optional(BaseUrl),
});
export type Settings = z.infer<typeof Settings>;

/** @throws Error in one line that names the variables that are wrong */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const settings = Settings.safeParse(set);
  if (!settings.success) {
    const reasons = settings.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new Error(`Set these environment variables right, or not at all: ${reasons.join("; ")}`);
  }
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = settings.data;
  if ((url === undefined) !== (token === undefined)) {
    throw new Error("Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither");
  }
  return settings.data;
}
