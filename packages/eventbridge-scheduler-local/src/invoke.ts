import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import pLimit from "p-limit";
import type { LambdaFunction } from "./lambda-arn.ts";
import { type Outcome, outcomeOfError, outcomeOfReply } from "./outcome.ts";

/** The longest that a Lambda function may run. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const LONGEST_INVOCATION_MS = 900_000;

export interface LambdaClient {
  invoke(lambda: LambdaFunction, payload: string): Promise<Outcome>;
  close(): void;
}

export interface LambdaClientOptions {
  readonly url: string;
  /** Invocations under way at once; more wait for their turn, in order. */
  readonly concurrency: number;
  /** Ends every invocation under way or waiting; each is then `undelivered`. */
  readonly signal: AbortSignal;
  /** How long to wait for an answer once the event was sent; default 15 minutes. */
  readonly timeoutMs?: number;
}

/**
 * A client of Lambda's Invoke. It waits for the function's end (`RequestResponse`): serverless-offline runs an `Event`
 * invocation without a handler of its failure, so that one exception in a function would end the whole process.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export function createLambdaClient(options: LambdaClientOptions): LambdaClient {
  const agent = new Agent({ keepAlive: true });
  const gate = pLimit(options.concurrency);

  function invoke(lambda: LambdaFunction, payload: string): Promise<Outcome> {
    return gate(() => attempt(lambda, payload));
  }

  async function attempt(lambda: LambdaFunction, payload: string): Promise<Outcome> {
    try {
      const reply = await send(lambda, payload);
      return outcomeOfReply(reply, await text(reply));
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  function send(lambda: LambdaFunction, payload: string): Promise<IncomingMessage> {
    const qualifier = lambda.qualifier ? `?Qualifier=${encodeURIComponent(lambda.qualifier)}` : "";
    const url = `${options.url}/2015-03-31/functions/${lambda.name}/invocations${qualifier}`;
    const timeout = options.timeoutMs ?? LONGEST_INVOCATION_MS;
    const headers = { "Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse" };
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent, method: "POST", signal: options.signal, timeout, headers });
      sent.on("response", resolve);
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeout} ms`)));
      sent.end(payload);
    });
  }

  return { invoke, close: () => agent.destroy() };
}
