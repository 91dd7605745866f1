import { z } from "zod";
import type { Faults } from "./faults.ts";
import { type Limits, PAY_AS_YOU_GO } from "./limits.ts";

export interface UpstashGatewayOptions {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` */
  readonly redisUrl: string;
  /** The port to listen on; 0, the default, is any free port. */
  readonly port?: number | undefined;
  /** The address to listen on. Default: 127.0.0.1, so that only this machine can connect. */
  readonly host?: string | undefined;
  /** The host names, besides those of the loopback interface, under which clients may call it, without ports. Default: none. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** The origins of web pages that may use it, such as `http://localhost:5173`; `*` is any. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** The token that may run every command; "local" by default. */
  readonly token?: string | undefined;
  /** The token that may only read; "local-readonly" by default. */
  readonly readOnlyToken?: string | undefined;
  /** Limits other than those of Upstash's Pay-as-you-go plan: a test sets lower ones. `Infinity` is none. */
  readonly limits?: Partial<Limits> | undefined;
  /** What clients must survive, for tests. Default: nothing. `setFaults` changes it. */
  readonly faults?: Faults | undefined;
  /** Receives a line when Redis is lost, when it is back, and for each failure of the gateway itself. */
  readonly log?: ((line: string) => void) | undefined;
}

/** zod's own numbers are finite. */
const amount = z.custom<number>((value) => typeof value === "number" && value >= 0, "must be a number, 0 or more");
const share = z.number("must be a number from 0 to 1").min(0, "must be 0 or more").max(1, "must be 1 or less");
const word = z.string("must be a text").min(1, "must not be empty");

const optionalAmount = amount.optional();

const faultsSchema = z.strictObject({
  latencyMs: optionalAmount,
  errorRate: share.optional(),
  lostReplyRate: share.optional(),
  times: optionalAmount,
  readLagMs: optionalAmount,
});

const optionsSchema = z.strictObject({
  redisUrl: z.url({ protocol: /^rediss?$/, error: "must be a URL such as redis://127.0.0.1:6379" }),
  port: z.int("must be a port number").min(0, "must be a port number").max(65_535, "must be a port number").default(0),
  host: word.default("127.0.0.1"),
  allowedHosts: z.array(word).default([]),
  allowedOrigins: z.array(word).default([]),
  token: word.default("local"),
  readOnlyToken: word.default("local-readonly"),
  limits: z
    .strictObject({
      requestBytes: amount.default(PAY_AS_YOU_GO.requestBytes),
      recordBytes: amount.default(PAY_AS_YOU_GO.recordBytes),
      databaseBytes: amount.default(PAY_AS_YOU_GO.databaseBytes),
      pendingPerConsumer: amount.default(PAY_AS_YOU_GO.pendingPerConsumer),
    })
    .prefault({}),
  faults: faultsSchema.default({}),
  log: z
    .custom<(line: string) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
});

/** With every default. */
export type GatewayOptions = z.output<typeof optionsSchema>;

/** Options that are no options, or have no such values. */
export class InvalidOptions extends TypeError {
  override readonly name = "InvalidOptions";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`Invalid options: ${problems.map(({ option, message }) => `${option} ${message}`.trim()).join("; ")}`);
    this.problems = problems;
  }
}

interface Problem {
  /** Its name; empty for an option that does not exist, which the message names. */
  readonly option: string;
  readonly message: string;
}

/** @throws InvalidOptions */
export function parseOptions(options: unknown): GatewayOptions {
  return parse(optionsSchema, options);
}

/** @throws InvalidOptions */
export function parseFaults(faults: unknown): Faults {
  return parse(faultsSchema, faults);
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidOptions(parsed.error.issues.map(({ path, message }) => ({ option: path.join("."), message })));
}
