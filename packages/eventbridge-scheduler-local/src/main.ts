import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startScheduler } from "./server.ts";

const NAME = "eventbridge-scheduler-local";

const USAGE = `Amazon EventBridge Scheduler for local development: schedules that fire, on 127.0.0.1.

Usage: ${NAME} [options]

  --lambda-endpoint <url>   where Lambda's Invoke API is, such as http://127.0.0.1:3002 of serverless-offline
  --target <arn>=<url>      posts the events of a target to a URL; may be repeated
  --group <name>            a schedule group that exists from the start; may be repeated
  --account <12 digits>     the account of schedules and groups (default: 123456789012)
  --port <number>           where the API listens; 0 is any free port (default: 8083)

What clients must survive:
  --throttle-rate <share>   the share of requests, 0 to 1, that get a ThrottlingException
  --quota-rate <share>      the share of creating requests, 0 to 1, that get a ServiceQuotaExceededException
  --error-rate <share>      the share of requests, 0 to 1, that get an InternalServerException

  -h, --help                this text
  -v, --version             the version
`;

const ARGUMENTS = {
  "lambda-endpoint": { type: "string" },
  target: { type: "string", multiple: true },
  group: { type: "string", multiple: true },
  account: { type: "string" },
  port: { type: "string" },
  "throttle-rate": { type: "string" },
  "quota-rate": { type: "string" },
  "error-rate": { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

const HttpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

const Share = z
  .string()
  .regex(/^\d+(\.\d+)?$/, "must be a number from 0 to 1")
  .transform(Number)
  .pipe(z.number().max(1, "must be a number from 0 to 1"))
  .optional();

const Options = z.object({
  "lambda-endpoint": HttpUrl.transform((url) => url.replace(/\/+$/, "")).optional(),
  target: z
    .array(z.string().regex(/^arn:[^=]+=https?:\/\/./, "must be <arn>=<url>"))
    .default([])
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))),
  group: z.array(z.string().regex(/^[0-9a-zA-Z-_.]{1,64}$/, "must be the name of a schedule group")).default([]),
  account: z
    .string()
    .regex(/^\d{12}$/, "must have 12 digits")
    .optional(),
  port: z
    .string()
    .regex(/^\d+$/, "must be a port number")
    .transform(Number)
    .pipe(z.number().max(65_535, "must be a port number"))
    .prefault("8083"),
  "throttle-rate": Share,
  "quota-rate": Share,
  "error-rate": Share,
});

const Manifest = z.object({ version: z.string() });

const ListenError = z.object({ code: z.string(), syscall: z.literal("listen") });

/** Runs the command. The exit code is 1 when it cannot start, and 2 for wrong arguments. */
export async function main(args: string[]): Promise<void> {
  try {
    const { values } = parseArgs({ args, options: ARGUMENTS });
    if (values.help) return void process.stdout.write(USAGE);
    if (values.version) return void process.stdout.write(`${version()}\n`);
    const options = Options.parse(values);
    if (options["lambda-endpoint"] === undefined && Object.keys(options.target).length === 0) {
      throw new Error("Set --lambda-endpoint or --target, or no event has anywhere to go");
    }
    await serve(options);
  } catch (error) {
    fail(2, `${messageOf(error)}. Run with --help for the options.`);
  }
}

async function serve({ port, target: targets, group: groups, ...others }: z.infer<typeof Options>): Promise<void> {
  try {
    const scheduler = await startScheduler({
      port,
      targets,
      groups,
      accountId: others.account,
      lambdaUrl: others["lambda-endpoint"],
      faults: {
        throttleRate: others["throttle-rate"],
        quotaRate: others["quota-rate"],
        errorRate: others["error-rate"],
      },
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => void scheduler.stop());
    process.stdout.write(`AWS_ENDPOINT_URL_SCHEDULER=${scheduler.url}\n`);
  } catch (error) {
    if (!ListenError.safeParse(error).success) return fail(1, messageOf(error));
    const fix = "Stop the other process or choose another --port";
    fail(1, `Cannot listen on port ${port}: ${messageOf(error)}. ${fix}.`);
  }
}

function version(): string {
  return Manifest.parse(createRequire(import.meta.url)(`${NAME}/package.json`)).version;
}

function fail(exitCode: number, line: string): void {
  process.stderr.write(`${line}\n`);
  process.exitCode = exitCode;
}

function messageOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  return error.issues.map(({ path, message }) => `--${path[0]?.toString()} ${message}`).join("; ");
}
