import type { Settings } from "./settings.ts";

/** The tokens of the local gateway, as the README names them. */
export const TOKEN = "local";
export const READ_ONLY_TOKEN = "local-readonly";

export const SCHEDULE_GROUP = "orders-local-completions";

/** As AWS writes them: the stand-in takes the function's name from the target, and checks the others' form. */
const ACCOUNT = "000000000000";

/**
 * What the functions find in their environment when they run on one machine. Whatever of AWS's own variables could lead
 * to a real account is overridden.
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
    // A shell or a profile that says true would send CreateSchedule to AWS all the same.
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false",
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
  };
}

/** What is different for a function that only reads: deployed it holds a token that cannot write, and so here. */
export function readOnlyEnvironment(settings: Settings): Record<string, string> {
  return settings.UPSTASH_REDIS_REST_TOKEN === undefined ? { UPSTASH_REDIS_REST_TOKEN: READ_ONLY_TOKEN } : {};
}
