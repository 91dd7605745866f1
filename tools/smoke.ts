import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import type { Order } from "../lib/order.ts";
import { Failure } from "./failure.ts";
import { type OrderService, orderService } from "./order-service.ts";
import { waitFor } from "./wait-for.ts";

const USAGE = `npm run smoke -- <url> [--product smoke-test] [--timeout 150]

Places an order at a running service, local or deployed, and waits until it has completed by itself.

  <url>          where the API is, such as https://abc123.execute-api.eu-central-1.amazonaws.com
  --product ID   what is ordered: a service with an inventory takes only what that has
  --timeout N    seconds to wait: AWS may fire a schedule 60 s late, and the sweep takes over after 60 s more

SMOKE_AUTHORIZATION is sent as the Authorization header, for a service that asks for a token.
Ends with 0 when the order completed.
`;

/** The order can be told from a shop's, and takes nothing out of a stock. */
const PRODUCT_ID = "smoke-test";

interface Arguments {
  readonly url: string;
  readonly product: string;
  readonly timeoutMs: number;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { url, product, timeoutMs } = readArguments();
  const authorization = process.env.SMOKE_AUTHORIZATION;
  const service = orderService(url, {
    hint: "is the address right, and the service deployed or started?",
    tokenHint: "set SMOKE_AUTHORIZATION to an Authorization header that it takes",
    ...(authorization !== undefined && { authorization }),
  });
  await smoke(service, product, timeoutMs);
}

/** @throws Failure at the first thing that is not as it should be */
async function smoke(service: OrderService, product: string, timeoutMs: number): Promise<void> {
  const begun = performance.now();
  const { order } = await service.place({ id: product, quantity: 1 }, randomUUID());
  say(`placed     ${order.pk} in ${Math.round(performance.now() - begun)} ms`);
  const completed = await waitFor(
    () => completedOrder(service, order.pk),
    timeoutMs,
    (seconds) => `Order ${order.pk} has not completed after ${seconds} s`,
  );
  const seconds = (Date.parse(completed.completed_at ?? "") - Date.parse(order.created_at)) / 1_000;
  say(`completed  ${seconds.toFixed(1)} s after it was placed`);
}

/** A read that fails is no verdict: a replica may not have the order yet, and the API may throttle. */
async function completedOrder(service: OrderService, pk: string): Promise<Order | undefined> {
  try {
    const order = await service.find(pk);
    return order.status === "completed" ? order : undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(`retrying   ${error.message}`);
    return undefined;
  }
}

function readArguments(): Arguments {
  const { values, positionals } = parsedArguments();
  const [url] = positionals;
  const timeoutMs = Number(values.timeout) * 1_000;
  if (url === undefined || !URL.canParse(url) || !(timeoutMs > 0)) throw new Failure(USAGE);
  return { url: url.replace(/\/+$/, ""), product: values.product, timeoutMs };
}

function parsedArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { product: { type: "string", default: PRODUCT_ID }, timeout: { type: "string", default: "150" } },
    });
  } catch (error) {
    throw new Failure(USAGE, { cause: error });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
