import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { z } from "zod";
import { reasonOf } from "./database.ts";
import { startUpstashGateway } from "./gateway.ts";
import { type GatewayOptions, InvalidOptions, parseOptions } from "./options.ts";

const NAME = "upstash-rest-gateway";

const USAGE = `The Upstash Redis REST API in front of any Redis 7, on 127.0.0.1.

Usage: ${NAME} [options]

  --redis-url <url>          the Redis (default: $REDIS_URL, or redis://127.0.0.1:6379)
  --port <number>            where the API listens; 0 is any free port (default: 8079)
  --token <text>             the token for every command (default: local)
  --read-only-token <text>   the token for commands that only read (default: local-readonly)

Who may connect:
  --host <address>           the address to listen on, such as 0.0.0.0 in a container (default: 127.0.0.1)
  --allow-host <name>        a host name, besides localhost, under which clients call it; may be repeated
  --allow-origin <origin>    an origin whose web pages may use it, or *; may be repeated

What clients must survive:
  --latency <ms>             delays each request
  --error-rate <share>       the share of requests, 0 to 1, that get a 500 and do not run
  --lost-reply-rate <share>  the share of requests, 0 to 1, that run but get no reply
  --read-lag <ms>            reads see keys as they were this long ago, as a replica's

  -h, --help                 this text
  -v, --version              the version
`;

const ARGUMENTS = {
  "redis-url": { type: "string" },
  port: { type: "string", default: "8079" },
  token: { type: "string" },
  "read-only-token": { type: "string" },
  host: { type: "string" },
  "allow-host": { type: "string", multiple: true },
  "allow-origin": { type: "string", multiple: true },
  latency: { type: "string" },
  "error-rate": { type: "string" },
  "lost-reply-rate": { type: "string" },
  "read-lag": { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** What people call each option, where the names differ. */
const NAMES: Readonly<Record<string, string>> = {
  readOnlyToken: "--read-only-token",
  "faults.latencyMs": "--latency",
  "faults.errorRate": "--error-rate",
  "faults.lostReplyRate": "--lost-reply-rate",
  "faults.readLagMs": "--read-lag",
};

const Manifest = z.object({ version: z.string() });

const SystemError = z.object({ code: z.string(), syscall: z.string() });

/** Runs the command. The exit code is 1 when it cannot start, and 2 for wrong arguments. */
export async function main(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const { values } = parseArgs({ args, options: ARGUMENTS });
    if (values.help) return void process.stdout.write(USAGE);
    if (values.version) return void process.stdout.write(`${version()}\n`);
    const options = parseOptions({
      redisUrl: values["redis-url"] ?? (env.REDIS_URL || "redis://127.0.0.1:6379"),
      port: numberOf(values.port),
      token: values.token,
      readOnlyToken: values["read-only-token"],
      host: values.host,
      allowedHosts: values["allow-host"],
      allowedOrigins: values["allow-origin"],
      faults: {
        latencyMs: numberOf(values.latency),
        errorRate: numberOf(values["error-rate"]),
        lostReplyRate: numberOf(values["lost-reply-rate"]),
        readLagMs: numberOf(values["read-lag"]),
      },
    });
    await serve(options);
  } catch (error) {
    const redisUrl = args.some((word) => word.startsWith("--redis-url")) ? "--redis-url" : "REDIS_URL";
    const problem =
      error instanceof InvalidOptions
        ? error.problems
            .map(
              ({ option, message }) =>
                `${option === "redisUrl" ? redisUrl : (NAMES[option] ?? `--${option}`)} ${message}`,
            )
            .join("; ")
        : reasonOf(error);
    fail(2, `${problem}. Run with --help for the options.`);
  }
}

async function serve(options: GatewayOptions): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const gateway = await startUpstashGateway({ ...options, log });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => void gateway.stop());
    process.stdout.write(`UPSTASH_REDIS_REST_URL=${gateway.url}\nUPSTASH_REDIS_REST_TOKEN=${options.token}\n`);
  } catch (error) {
    const { success, data } = SystemError.safeParse(error);
    if (!success || !["listen", "getaddrinfo"].includes(data.syscall)) return fail(1, reasonOf(error));
    const fix =
      data.code === "EADDRINUSE"
        ? "Stop the other process or choose another --port"
        : "Choose another --host or --port";
    fail(1, `Cannot listen on port ${options.port} of ${options.host}: ${reasonOf(error)}. ${fix}.`);
  }
}

/** Text that is no number stays text, which the options refuse. */
function numberOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function version(): string {
  return Manifest.parse(createRequire(import.meta.url)(`${NAME}/package.json`)).version;
}

function fail(exitCode: number, line: string): void {
  process.stderr.write(`${line}\n`);
  process.exitCode = exitCode;
}
