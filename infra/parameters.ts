import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { BaseUrl } from "../lib/env.ts";
import { Completion } from "../lib/orders/completion-delay.ts";
import { MAX_RETENTION_DAYS } from "../lib/orders/retention.ts";

/** `MAXLEN ~` trims whole nodes, of 100 entries each by default: a smaller bound has no effect. */
const MIN_STREAM_LENGTH = 1_000;

/** The values that CloudWatch Logs accepts (API Reference, "PutRetentionPolicy"). */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** CloudFormation's maximum (API Reference, "RollbackConfiguration"). */
const MAX_ROLLBACK_MINUTES = 180;

const OBJECTIVE = { error: "must be a percentage from 98 to below 100" };

/** Values of the command line are text. Decimal digits only: `Number` reads empty text as 0, and accepts 1e3 and 0x10. */
const number = (min = 0) => {
  const error = `must be a number, ${min} or more`;
  return z.preprocess(fromText(/^\d+(\.\d+)?$/), z.number({ error }).min(min, { error }));
};
const wholeNumber = (min = 0, max = Number.MAX_SAFE_INTEGER) => {
  const error = `must be a whole number, ${min} or more`;
  const most = { error: `must be at most ${max}` };
  return z.preprocess(fromText(/^\d+$/), z.int({ error }).min(min, { error }).max(max, most));
};
/** Below 98 % the fastest alarm, at 50 times what is allowed, could not fire. */
const objective = number().pipe(z.number().min(98, OBJECTIVE).lt(100, OBJECTIVE));
const boolean = z.preprocess(
  (value) => (value === "true" || value === "false" ? value === "true" : value),
  z.boolean({ error: "must be true or false" }),
);
const oneOf = <const Values extends readonly string[]>(...values: Values) =>
  z.enum(values, { error: `must be ${values.join(" or ")}` });

/** Empty, or `none`, is `undefined`. */
const optional = <Value extends z.ZodType>(value: Value) =>
  z.preprocess((given) => (given === "" || given === "none" ? undefined : given), value.optional());
const list = z.preprocess(
  (value) =>
    value === "none"
      ? []
      : String(value)
          .split(",")
          .map((item) => item.trim())
          .filter(Boolean),
  z.array(z.string()),
);
const EMAIL = { error: "must be an e-mail address, or none" };
/** Empty: not chosen yet, and a deploy is refused. */
const emailOrUndecided = z
  .string()
  .refine((text) => /^(none)?$/.test(text) || z.email().safeParse(text).success, EMAIL);

const httpsUrl = z.url({ protocol: /^https$/, error: "must be an https address" });

const Parameters = z
  .strictObject(
    {
      doctor: oneOf("run", "skip"),
      completion: oneOf(...Completion.options),
      alarmEmail: emailOrUndecided,
      ticketEmail: optional(z.email(EMAIL)),
      docsUrl: httpsUrl,
      problemTypesUrl: optional(httpsUrl.regex(/[/#]$/, { error: "must be an https address that ends with / or #" })),
      inventoryUrl: optional(
        z.string().refine((text) => BaseUrl.safeParse(text).success, {
          error: "must be an address such as https://inventory.example.com, without query and credentials",
        }),
      ),
      access: z.enum(["jwt", "open", ""], { error: "must be jwt or open" }),
      jwtIssuer: optional(httpsUrl),
      jwtAudience: list,
      docsPage: oneOf("open", "closed"),
      corsOrigins: list.pipe(z.array(z.string().refine(isOrigin, { error: notAnOrigin }))),
      throttleRate: number(),
      throttleBurst: wholeNumber(),
      reservedConcurrency: optional(wholeNumber(1)),
      orderRetentionDays: wholeNumber(0, MAX_RETENTION_DAYS),
      completedStreamMaxLength: wholeNumber(MIN_STREAM_LENGTH),
      tracing: oneOf("Active", "PassThrough"),
      logRetentionInDays: wholeNumber(1).refine((days) => RETENTION_DAYS.includes(days), {
        error: `must be one of ${RETENTION_DAYS.join(", ")}`,
      }),
      rollbackMinutes: optional(wholeNumber(1, MAX_ROLLBACK_MINUTES)),
      deletionProtection: boolean,
      deadLettersPolicy: oneOf("Delete", "Retain"),
      acceptedObjectivePercent: objective,
      inTimeObjectivePercent: objective,
      alarm4xxPercent: number(),
      alarmLatencyMs: number(),
      alarmRedisErrorsPercent: number(),
    },
    { error: ({ code, keys }) => (code === "unrecognized_keys" ? `there is no ${keys.join(", ")}` : undefined) },
  )
  // `access` says whether an issuer is required, because a forgotten one would open the API.
  .refine(({ jwtIssuer, jwtAudience }) => (jwtIssuer !== undefined) === jwtAudience.length > 0, {
    error: "jwtIssuer and jwtAudience only go together",
    abort: true,
  })
  .refine(({ access, jwtIssuer }) => access !== "jwt" || jwtIssuer, {
    error: "access=jwt needs jwtIssuer and jwtAudience",
  })
  .refine(({ access, jwtIssuer }) => access !== "open" || !jwtIssuer, {
    error: "jwtIssuer contradicts access=open: set access to jwt, or unset jwtIssuer and jwtAudience",
  });

const Values = z.record(z.string(), z.unknown());
const ParametersYml = z.object({ default: Values, prod: Values });

/** The values of `parameters.yml`, unvalidated. */
export function readParametersYml(): z.infer<typeof ParametersYml> {
  return ParametersYml.parse(parse(readFileSync(new URL("parameters.yml", import.meta.url), "utf8")));
}

/** The validated parameters of a stage. `parameters.yml` explains each. */
export type Parameters = z.infer<typeof Parameters>;

/** The unvalidated parameters of a stage: the values of parameters.yml, and those of the command line. */
export interface GivenParameters {
  readonly default: Readonly<Record<string, unknown>>;
  readonly stage: Readonly<Record<string, unknown>>;
  /** The values of `--param`, as `name=value`. An empty value is `none`. */
  readonly commandLine: readonly string[];
}

/** @throws Error that names every parameter that is wrong, with the rule that it breaks, in one line */
export function readParameters(given: GivenParameters): Parameters {
  const overrides = given.commandLine.map((text) => {
    const [name = "", ...value] = text.split("=");
    return [name, value.join("=").trimEnd() || "none"] as const;
  });
  const parameters = Parameters.safeParse({ ...given.default, ...given.stage, ...Object.fromEntries(overrides) });
  if (parameters.success) return parameters.data;
  const problems = parameters.error.issues.map(({ path, message }) => [path[0], message].filter(Boolean).join(" "));
  throw new Error(`Wrong parameters in infra/parameters.yml or --param: ${[...new Set(problems)].join("; ")}`);
}

function fromText(pattern: RegExp): (value: unknown) => unknown {
  return (value) => (typeof value === "string" && pattern.test(value) ? Number(value) : value);
}

/** As browsers send it: without a path or a trailing slash, which would never match. `*` would allow every page. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text;
}

function notAnOrigin({ input }: { readonly input?: unknown }): string {
  return `must name origins, such as https://shop.example.com: "${input}" is not one`;
}
