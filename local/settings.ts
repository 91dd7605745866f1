import { z } from "zod";
import { BaseUrl, UpstashUrl } from "../lib/env.ts";

/** The tokens of the local gateway. */
export const TOKEN = "local";
export const READ_ONLY_TOKEN = "local-readonly";

export const SCHEDULE_GROUP = "orders-local-completions";

/** ARNs have the form of AWS's: the local Scheduler takes the function's name from the target, and validates the rest. */
const ACCOUNT = "000000000000";

const NO_FILE = "/dev/null";

const PORT = "must be a port, 1 to 65535";
const Port = z.coerce.number(PORT).int(PORT).min(1, PORT).max(65_535, PORT);

const DELAY = "must be ms, 0 to 60000";

/** Every environment variable that configures the local stack. An empty one counts as not set. */
export const Settings = z.object({
  ORDERS_API_PORT: Port.default(3000),
  ORDERS_CONSOLE_PORT: Port.default(3004),
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

/** @throws Error in one line that names the invalid variables */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const settings = Settings.safeParse(set);
  if (!settings.success) {
    const reasons = settings.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new Error(`Invalid environment variables (fix or unset them): ${reasons.join("; ")}`);
  }
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = settings.data;
  if ((url === undefined) !== (token === undefined)) {
    throw new Error("Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither");
  }
  return settings.data;
}

/**
 * The environment of the functions on one machine. With `forgetAwsSettings`, nothing in it leads to a real AWS account.
 * @param targetFunction the name of the function that completes an order
 */
export function localEnvironment(settings: Settings, region: string, targetFunction: string): Record<string, string> {
  return {
    UPSTASH_REDIS_REST_URL: settings.UPSTASH_REDIS_REST_URL ?? `http://127.0.0.1:${settings.ORDERS_UPSTASH_PORT}`,
    UPSTASH_REDIS_REST_TOKEN: settings.UPSTASH_REDIS_REST_TOKEN ?? TOKEN,
    INVENTORY_URL: settings.INVENTORY_URL ?? "",
    SCHEDULE_GROUP,
    SCHEDULE_TARGET_ARN: `arn:aws:lambda:${region}:${ACCOUNT}:function:${targetFunction}`,
    SCHEDULE_ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/local`,
    SCHEDULE_DEAD_LETTER_ARN: `arn:aws:sqs:${region}:${ACCOUNT}:local`,
    AWS_ENDPOINT_URL_SCHEDULER: `http://127.0.0.1:${settings.ORDERS_SCHEDULER_PORT}`,
    // On Lambda there are none. The SDK reads the user's otherwise, and a profile may set endpoints of its own.
    AWS_CONFIG_FILE: NO_FILE,
    AWS_SHARED_CREDENTIALS_FILE: NO_FILE,
    // As on Lambda: without it, the logger calls no start cold.
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    // As on Lambda (Developer Guide, "Defined runtime environment variables"): the logger writes times in this zone.
    TZ: ":UTC",
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
  };
}

/**
 * Removes every variable of the shell that configures an AWS SDK: serverless-offline hands all of them to the functions, and
 * `AWS_USE_FIPS_ENDPOINT` alone makes the SDK refuse the local endpoint.
 */
export function forgetAwsSettings(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) if (name.startsWith("AWS_")) delete env[name];
}

/** The environment that a function which only reads has in addition: as on AWS, its token cannot write. */
export function readOnlyEnvironment(settings: Settings): Record<string, string> {
  return settings.UPSTASH_REDIS_REST_TOKEN === undefined ? { UPSTASH_REDIS_REST_TOKEN: READ_ONLY_TOKEN } : {};
}

/**
 * Invokes a function by Lambda's Invoke (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
 * @param options such as a signal that ends the wait
 */
export function invokeFunction(
  { ORDERS_LAMBDA_PORT }: Settings,
  deployedName: string,
  options: RequestInit = {},
): Promise<Response> {
  const url = `http://127.0.0.1:${ORDERS_LAMBDA_PORT}/2015-03-31/functions/${deployedName}/invocations`;
  return fetch(url, { method: "POST", body: "{}", ...options });
}
