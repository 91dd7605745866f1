#!/usr/bin/env node
import { parseArgs } from "node:util";
import { z } from "zod";
import { reasonOf } from "./database.ts";
import { startUpstashGateway } from "./gateway.ts";

const USAGE = `The Upstash Redis REST API in front of any Redis 7, on 127.0.0.1.

Usage: upstash-rest-gateway [options]

  --redis-url <url>          the Redis (default: $REDIS_URL, or redis://127.0.0.1:6379)
  --port <number>            where the API listens; 0 is any free port (default: 8079)
  --token <text>             the token for every command (default: local)
  --read-only-token <text>   the token for commands that only read (default: local-readonly)
  --help                     this text
`;

const Options = z.object({
  "redis-url": z
    .url({ protocol: /^rediss?$/, error: "must be a URL such as redis://127.0.0.1:6379" })
    .default(process.env.REDIS_URL ?? "redis://127.0.0.1:6379"),
  port: z.coerce.number("must be a port number").int().min(0).max(65_535).default(8079),
  token: z.string().min(1, "must not be empty").default("local"),
  "read-only-token": z.string().min(1, "must not be empty").default("local-readonly"),
  help: z.boolean().default(false),
});

const options = readOptions();
if (options.help) process.stdout.write(USAGE);
else await serve(options);

async function serve({ port, token, ...others }: z.infer<typeof Options>): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const gateway = await startUpstashGateway({
      redisUrl: others["redis-url"],
      readOnlyToken: others["read-only-token"],
      port,
      token,
      log,
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => void gateway.stop());
    process.stdout.write(`UPSTASH_REDIS_REST_URL=${gateway.url}\nUPSTASH_REDIS_REST_TOKEN=${token}\n`);
  } catch (error) {
    log(`Cannot listen on port ${port}: ${reasonOf(error)}. Stop the other process or choose another --port.`);
    process.exitCode = 1;
  }
}

function readOptions(): z.infer<typeof Options> {
  try {
    const { values } = parseArgs({
      options: {
        "redis-url": { type: "string" },
        port: { type: "string" },
        token: { type: "string" },
        "read-only-token": { type: "string" },
        help: { type: "boolean" },
      },
    });
    return Options.parse(values);
  } catch (error) {
    const problem =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `--${path.join(".")} ${message}`).join("; ")
        : reasonOf(error);
    process.stderr.write(`${problem}. Run with --help for the options.\n`);
    process.exit(2);
  }
}
