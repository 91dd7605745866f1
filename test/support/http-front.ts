import { type Call, startProxy } from "../../lab/chaos/proxy.ts";

/** What happens to a request. */
export type Answer = (call: Call) => unknown;

export interface HttpFront {
  readonly url: string;
  /** Method and path of each request since the last `reset`. */
  readonly requests: readonly string[];
  /** Answers every request from now on like this. */
  answerWith(answer: Answer): void;
  /** Lets the next request through, and hangs up instead of giving its reply. */
  loseNextReply(): void;
  /** Forwards again, and forgets the requests so far. */
  reset(): void;
  stop(): void;
}

const passOn: Answer = async (call) => call.answer(await call.forward());

/** The fault suite's proxy before another server, so that a test sees what is sent, and can lose or replace what is replied. */
export async function startHttpFront(target: string): Promise<HttpFront> {
  const requests: string[] = [];
  let answer = passOn;
  const { url, stop } = await startProxy(target, async (call) => {
    requests.push(`${call.method} ${call.path}`);
    await answer(call);
  });
  return {
    url,
    requests,
    answerWith(other) {
      answer = other;
    },
    loseNextReply() {
      answer = async (call) => {
        answer = passOn;
        await call.forward();
        call.reset();
      };
    },
    reset() {
      answer = passOn;
      requests.length = 0;
    },
    stop,
  };
}
