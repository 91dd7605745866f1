/** As long as the function may run by its time-out in serverless.yml, and a little for the way there and back. */
const TIMEOUT_MS = 60_000;

export interface Poller {
  /**
   * Has the refund poller run now instead of at its next full minute.
   * @returns what became of it in words; where it could not be invoked, its own timer runs it within 60 s
   */
  run(): Promise<string>;
}

/**
 * The refund poller behind a Lambda endpoint, as AWS's Invoke has it:
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 * @param lambdaUrl without a slash at its end
 * @param functionName as deployed: service, stage and function
 */
export function refundPoller(lambdaUrl: string, functionName: string): Poller {
  const untilItsMinute = "waiting for its own timer, which fires every minute";

  async function run(): Promise<string> {
    const started = performance.now();
    const reply = await invoke(`${lambdaUrl}/2015-03-31/functions/${functionName}/invocations`);
    if (!reply) return `not invoked, nothing answers at ${lambdaUrl}: ${untilItsMinute}`;
    if (!reply.ok) return `not invoked, ${lambdaUrl} replied ${reply.status}: ${untilItsMinute}`;
    if (reply.headers.has("x-amz-function-error")) return `failed, its log says why: ${untilItsMinute}`;
    return `ran for ${Math.round(performance.now() - started)} ms`;
  }

  return { run };
}

/** `undefined` when nothing answers: the demo goes on without, so a closed port is no error. */
async function invoke(url: string): Promise<Response | undefined> {
  try {
    return await fetch(url, { method: "POST", body: "{}", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return undefined;
  }
}
