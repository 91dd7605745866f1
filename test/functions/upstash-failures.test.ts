import { expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import type { Answer } from "../support/http-front.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { expectNothingLeaks, expectProblem } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const functions = useFunctions(useRedis());
const log = useLogLines();

const PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));

/** No attempt begins when the first is 2.5 seconds old, and each may take 1.5: then a request has ended within 5 seconds. */
const MOST_TIMEOUTS = 2;
/** One, four retries, and one at once where the first was sent on a kept connection. */
const MOST_ATTEMPTS = 6;

/** Expects the one line that tells a person on call the cause; stacks apart, it shows nothing secret. */
function expectCauseLogged(message: string, cause: RegExp): void {
  expect(log.logged).toEqual([expect.objectContaining({ level: "ERROR", message })]);
  expect(log.text).toContain('"redis_failed"');
  const withoutStacks = log.text.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, "");
  expect(withoutStacks).toMatch(cause);
  expectNothingLeaks(withoutStacks);
}

test.for<[string, Answer, RegExp, number]>([
  ["never answers", () => undefined, /TimeoutError/, MOST_TIMEOUTS],
  ["hangs up", (response) => response.destroy(), /socket hang up/, MOST_ATTEMPTS],
  [
    "refuses the token",
    (response) => response.writeHead(401).end('{"error":"WRONGPASS invalid or missing auth token"}'),
    /WRONGPASS/,
    1,
  ],
  [
    "has too many requests",
    (response) => response.writeHead(429).end('{"error":"ERR max requests limit exceeded"}'),
    /ERR max requests limit exceeded/,
    MOST_ATTEMPTS,
  ],
  [
    "answers with a page",
    (response) => response.writeHead(502).end("<html>a page with something secret</html>"),
    /status 502 is not JSON/,
    MOST_ATTEMPTS,
  ],
])(
  "when Upstash %s, requests get 500 after a few attempts and the log says why",
  async ([, answer, cause, attempts]) => {
    functions.upstash.answerWith(answer);

    const reply = await place();

    expect(functions.upstash.requests.length).toBeLessThanOrEqual(attempts);
    expectProblem(reply, 500, "internal-error");
    expectCauseLogged("Request failed", cause);
    expect(log.text).not.toContain("something secret");
    expect(functions.scheduler.requests).toEqual([]);
  },
);

test("an order whose reply from Redis is lost is stored once", async () => {
  // given
  const idempotencyKey = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
  const event = placeOrderEvent({ id: "tea", quantity: 2 }, idempotencyKey);
  functions.upstash.loseNextReply();

  // when
  const reply = await functions.invokeHttp("createOrder", event);

  // then
  const order = orderOf(reply);
  expect(reply.headers).not.toHaveProperty("idempotent-replayed");
  expect(orderOf(await functions.invokeHttp("createOrder", event))).toEqual(order);
  expect(log.logged.filter(({ message }) => message === "Order placed")).toHaveLength(1);
});

test("an invocation that is about to be cut off is answered with a problem document", async () => {
  functions.upstash.answerWith(() => undefined);

  const reply = await functions.invokeHttp("getOrder", getOrderEvent(PK), () => 500);

  expectProblem(reply, 500, "internal-error");
  expect(log.logged).toEqual([
    expect.objectContaining({ level: "ERROR", error: expect.objectContaining({ name: "TimeoutError" }) }),
  ]);
});

test("while nobody listens at Upstash's address a POST gets 500 and the log says ECONNREFUSED", async () => {
  await functions.upstash.stop();

  expectProblem(await place(), 500, "internal-error");
  expectCauseLogged("Request failed", /ECONNREFUSED/);
});
