import { Agent, type IncomingMessage, request } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { text } from "node:stream/consumers";
import pLimit from "p-limit";
import { z } from "zod";
import type { Target } from "./schedule.ts";

/** The maximum time-out of a Lambda function. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_INVOCATION_MS = 900_000;

const DONE = { kind: "done" } as const;

/** https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
const functionErrorSchema = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue("not JSON");
      return z.NEVER;
    }
  })
  .pipe(z.object({ errorType: z.string(), errorMessage: z.string() }));

/** How an invocation ended. `undelivered`: the function did not get the event, or nobody knows whether it did. */
type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "function-error"; readonly message: string }
  | {
      readonly kind: "undelivered";
      readonly code: string;
      readonly message: string;
      /** It would fail again, so EventBridge Scheduler does not retry it. */
      readonly permanent: boolean;
    };

export interface TargetClient {
  /** Sends an event to its target, and waits until the function ends. */
  send(target: Target, payload: string): Promise<Outcome>;
  close(): void;
}

interface TargetClientOptions {
  /** The URL of a Lambda Invoke API. */
  readonly lambdaUrl: string | undefined;
  /** The number of events that are sent at once. More wait, in order. */
  readonly concurrency: number;
  /** Aborts every event; each is then `undelivered`. */
  readonly signal: AbortSignal;
  /** How long to wait for a reply once the event was sent, in ms. */
  readonly timeoutMs?: number;
}

/**
 * A client of Lambda's Invoke, and of HTTP targets, to which events are posted. It waits for the function's end
 * (`RequestResponse`): serverless-offline runs an `Event` invocation without handling its failure, so that one exception in a
 * function would end the whole process. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export function createTargetClient(options: TargetClientOptions): TargetClient {
  const { lambdaUrl, concurrency, signal, timeoutMs: timeout = MAX_INVOCATION_MS } = options;
  const agent = new Agent({ keepAlive: true });
  const tlsAgent = new TlsAgent({ keepAlive: true });
  const limit = pLimit(concurrency);

  async function attempt(target: Target, payload: string): Promise<Outcome> {
    try {
      const reply = await post(urlOf(target), payload);
      return outcomeOfReply(reply, await text(reply));
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  function urlOf({ lambda, url }: Target): string {
    if (lambda === undefined) return url ?? "";
    const qualifier = lambda.qualifier ? `?Qualifier=${encodeURIComponent(lambda.qualifier)}` : "";
    return `${lambdaUrl}/2015-03-31/functions/${lambda.name}/invocations${qualifier}`;
  }

  function post(url: string, payload: string): Promise<IncomingMessage> {
    const headers = { "content-type": "application/json", "x-amz-invocation-type": "RequestResponse" };
    const sendOptions = { method: "POST", signal, timeout, headers };
    return new Promise((resolve, reject) => {
      const sent = url.startsWith("https:")
        ? tlsRequest(url, { ...sendOptions, agent: tlsAgent })
        : request(url, { ...sendOptions, agent });
      sent.on("response", resolve);
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`no reply within ${timeout} ms`)));
      sent.end(payload);
    });
  }

  return {
    send: (target, payload) => limit(() => attempt(target, payload)),
    close() {
      agent.destroy();
      tlsAgent.destroy();
    },
  };
}

/** @param body the reply's whole body. */
function outcomeOfReply(reply: IncomingMessage, body: string): Outcome {
  const status = reply.statusCode ?? 0;
  if (status < 200 || status >= 300) {
    const type = reply.headers["x-amzn-errortype"];
    const code = typeof type === "string" ? type : `HTTP ${status}`;
    const permanent = status >= 400 && status < 500 && status !== 429;
    return {
      kind: "undelivered",
      code,
      permanent,
      message: `the target replied with status ${status}: ${excerpt(body)}`,
    };
  }
  return reply.headers["x-amz-function-error"] ? { kind: "function-error", message: functionError(body) } : DONE;
}

/** The reason why the event could not be sent, or had no reply. */
function outcomeOfError(error: unknown): Outcome {
  const undelivered = { kind: "undelivered", permanent: false } as const;
  if (!(error instanceof Error)) return { ...undelivered, code: "INVOCATION_FAILED", message: String(error) };
  const code = "code" in error ? String(error.code) : "INVOCATION_FAILED";
  // If all addresses of a host refuse, the AggregateError has a code but no message.
  return { ...undelivered, code, message: error.message || code };
}

/** Without the stack trace, which the function's own log has. */
function functionError(body: string): string {
  const error = functionErrorSchema.safeParse(body);
  return excerpt(error.success ? `${error.data.errorType}: ${error.data.errorMessage}` : body);
}

/** One line, and short: it goes into a log line and into a dead letter's attributes. */
function excerpt(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}
