import { parseArgs } from "node:util";
import { z } from "zod";
import { RedisEnv } from "../../lib/env/redis.ts";
import { localEnvironment } from "../../local/environment.ts";
import { readSettings } from "../../local/settings.ts";
import { Failure } from "../failure.ts";
import { orderService } from "../order-service.ts";
import { refundPoller } from "./poller.ts";
import { plainShow, terminalShow } from "./show.ts";
import { tellStory } from "./story.ts";
import { upstashStreams } from "./streams.ts";

const USAGE = `npm run demo -- [--orders 5] [--timeout 90] [--stage dev]

Shows orders on their way through a running service (npm start in another terminal).

  --orders N     how many to place, 1 to 20
  --timeout N    seconds that an order may take from one state to the next, 1 to 600
  --stage NAME   the stage that npm start was given

Reads ORDERS_API_PORT, ORDERS_LAMBDA_PORT, ORDERS_UPSTASH_PORT, UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN
as npm start does. Ends with 0 when every order went all the way. An inventory has to know the products: tea-green,
tea-black, coffee, cocoa, rooibos.
`;

const HOW_TO_START = "start it with `npm start` in another terminal, or set ORDERS_API_PORT to its port";

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(20),
  /** AWS may fire a schedule 60 s late, and the refund poller runs every 60 s. */
  timeout: z.coerce.number().min(1).max(600),
  stage: z.string().min(1),
  help: z.boolean(),
});

try {
  await main();
} catch (error) {
  // Anything else is a mistake in the demo itself, and Node shows where.
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { orders, timeout, stage, help } = readOptions();
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  const settings = settingsOf(process.env);
  const cast = {
    service: orderService(`http://localhost:${settings.ORDERS_API_PORT}`, {
      hint: HOW_TO_START,
      tokenHint: HOW_TO_START,
    }),
    // Only the database's part of what the functions get is used: region and target do not matter.
    streams: upstashStreams(RedisEnv.parse(localEnvironment(settings, "", ""))),
    poller: refundPoller(`http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`, `orders-${stage}-drainRefunds`),
    show: process.stdout.isTTY ? terminalShow : plainShow,
  };
  await tellStory(cast, { orders, timeoutMs: timeout * 1_000 });
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        orders: { type: "string", default: "5" },
        timeout: { type: "string", default: "90" },
        stage: { type: "string", default: "dev" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return Options.parse(values);
  } catch (error) {
    throw new Failure(`${reasonOf(error)}. All options: npm run demo -- --help`, { cause: error });
  }
}

function settingsOf(env: NodeJS.ProcessEnv) {
  try {
    return readSettings(env);
  } catch (error) {
    throw new Failure(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`).join("; ");
  }
  return error instanceof Error ? error.message : String(error);
}
