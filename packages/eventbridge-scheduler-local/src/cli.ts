#!/usr/bin/env node
import { parseArgs } from "node:util";
import { z } from "zod";
import { startScheduler } from "./server.ts";

const USAGE = `Amazon EventBridge Scheduler for local development: one-time schedules that fire, on 127.0.0.1.

Usage: eventbridge-scheduler-local [options]

  --lambda-endpoint <url>   where Lambda's Invoke API is, such as http://127.0.0.1:3002 of serverless-offline
  --target <arn>=<url>      posts the events of a target to a URL; may be repeated
  --group <name>            a schedule group that exists from the start; may be repeated
  --port <number>           where the API listens; 0 is any free port (default: 8083)
  --help                    this text
`;

const HttpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

const Options = z.object({
  "lambda-endpoint": HttpUrl.transform((url) => url.replace(/\/+$/, "")).optional(),
  target: z
    .array(z.string().regex(/^arn:[^=]+=https?:\/\/./, "must be <arn>=<url>"))
    .default([])
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))),
  group: z.array(z.string().regex(/^[0-9a-zA-Z-_.]{1,64}$/, "must be the name of a schedule group")).default([]),
  port: z.coerce.number("must be a port number").int().min(0).max(65_535).default(8083),
  help: z.boolean().default(false),
});

const options = readOptions();
if (options.help) process.stdout.write(USAGE);
else await serve(options);

async function serve({ port, target: targets, group: groups, ...others }: z.infer<typeof Options>): Promise<void> {
  try {
    const scheduler = await startScheduler({ port, targets, groups, lambdaUrl: others["lambda-endpoint"] });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => void scheduler.stop());
    process.stdout.write(`AWS_ENDPOINT_URL_SCHEDULER=${scheduler.url}\n`);
  } catch (error) {
    process.stderr.write(
      `Cannot listen on port ${port}: ${messageOf(error)}. Stop the other process or choose another --port.\n`,
    );
    process.exitCode = 1;
  }
}

function readOptions(): z.infer<typeof Options> {
  try {
    const { values } = parseArgs({
      options: {
        "lambda-endpoint": { type: "string" },
        target: { type: "string", multiple: true },
        group: { type: "string", multiple: true },
        port: { type: "string" },
        help: { type: "boolean" },
      },
    });
    const read = Options.parse(values);
    if (read.help || read["lambda-endpoint"] !== undefined || Object.keys(read.target).length > 0) return read;
    throw new Error("Set --lambda-endpoint or --target, or no event has anywhere to go");
  } catch (error) {
    process.stderr.write(`${messageOf(error)}. Run with --help for the options.\n`);
    process.exit(2);
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  return error.issues.map(({ path, message }) => `--${path[0]?.toString()} ${message}`).join("; ");
}
