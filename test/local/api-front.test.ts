import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ApiFront, behaveLikeApiGateway, limitConcurrency } from "../../local/api-front.ts";

type Method = Parameters<ApiFront["ext"]>[1];
type FrontReply = Exclude<ReturnType<Method>, symbol>;
type Seen = Parameters<Method>[0]["response"];

const CONTINUE = Symbol("continue");

function frontMethods(): Map<string, Method> {
  const methods = new Map<string, Method>();
  const front: ApiFront = {
    info: { started: 1 },
    table: () => [],
    ext: (event, method) => void methods.set(event, method),
  };
  behaveLikeApiGateway(front, ["https://shop.example"]);
  return methods;
}

/** What the front makes of a reply of serverless-offline's. */
function answerTo(response: Seen, headers: Record<string, string> = {}) {
  const made: Record<string, unknown> = {};
  const noted = (name: string, value: unknown): FrontReply => {
    made[name] = value;
    return reply;
  };
  const reply: FrontReply = {
    code: (status: number) => noted("status", status),
    type: (mediaType: string) => noted("type", mediaType),
    header: noted,
  };
  const toolkit = { continue: CONTINUE, response: (body: string | undefined) => noted("body", body) };
  const answer = frontMethods().get("onPreResponse")?.(
    { headers, raw: { req: { rawHeaders: [] } }, response },
    toolkit,
  );
  return answer === CONTINUE ? "as it is" : made;
}

test.for([
  ["took too long", "LambdaTimeoutError", 503, "Service Unavailable"],
  ["crashed", "TypeError", 500, "Internal Server Error"],
] as const)("a function that %s is answered in API Gateway's words", ([, errorType, status, message]) => {
  const failure = { errorMessage: "[504] - why", errorType, stackTrace: ["Error: why", "at file.js:1:1"] };

  for (const source of [failure, JSON.stringify(failure)]) {
    expect(answerTo({ source })).toEqual({ status, type: "application/json", body: JSON.stringify({ message }) });
  }
});

test.for(['{"pk":"1"}', "errorMessage", undefined, "{}"])("the reply %o stays as it is", (source) => {
  expect(answerTo({ source })).toBe("as it is");
});

test("a body that is too large is answered with the service's problem document, which no cache keeps", () => {
  expect(answerTo({ isBoom: true, output: { statusCode: 413, headers: {} } })).toMatchObject({
    status: 413,
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    body: expect.stringContaining("body_too_large"),
  });
});

test.for([
  ["https://shop.example", true],
  ["https://shop.example.com", false],
  ["http://shop.example", false],
  ["null", false],
] as const)("CORS headers in a reply to a page of %s: %s", ([origin, allowed]) => {
  const cors = { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
  const reply = { headers: { location: "/orders/1", ...cors } };
  const refusal = { isBoom: true, output: { statusCode: 404, headers: { ...cors } } };

  for (const response of [reply, refusal]) answerTo(response, { origin });

  expect(reply.headers).toEqual({ location: "/orders/1", ...(allowed ? cors : {}) });
  expect(refusal.output.headers).toEqual(allowed ? cors : {});
});

test.for([
  ["application/json; charset=utf-8", "application/json"],
  ["application/json; charset=utf-8; charset=latin1", "application/json"],
  ["text/plain", "application/octet-stream"],
  ["json", "application/octet-stream"],
  ["", "application/octet-stream"],
] as const)("the Content-Type %o reaches the function, and hapi, which would refuse some, gets %s", ([type, seen]) => {
  const rawHeaders = ["Content-Type", type];
  const headers = { "content-type": type };
  const reply = { response: () => expect.unreachable(), continue: CONTINUE };

  frontMethods().get("onRequest")?.({ headers, raw: { req: { rawHeaders } }, response: {} }, reply);

  expect(headers["content-type"]).toBe(seen);
  expect(rawHeaders).toEqual(["Content-Type", type]);
});

test("requests over a route's limit wait for their turn", async () => {
  const started: number[] = [];
  const replies = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const route = {
    settings: {
      handler: (index: number) => {
        started.push(index);
        return replies[index]?.promise;
      },
    },
  };
  limitConcurrency({ info: { started: 1 }, ext: () => {}, table: () => [route] }, 1);
  const [first, second] = [route.settings.handler(0), route.settings.handler(1)];
  await setImmediate();
  expect(started).toEqual([0]);

  replies[0]?.resolve("first");
  replies[1]?.resolve("second");

  expect(await Promise.all([first, second])).toEqual(["first", "second"]);
});

test("a request that fails gives its place to the next", async () => {
  const route = { settings: { handler: (fails: boolean) => (fails ? Promise.reject(new Error("failed")) : "done") } };
  limitConcurrency({ info: { started: 1 }, ext: () => {}, table: () => [route] }, 1);

  await expect(route.settings.handler(true)).rejects.toThrow("failed");

  expect(await route.settings.handler(false)).toBe("done");
});

test("a route without a function keeps its handler", () => {
  const route = { settings: { handler: { proxy: {} } } };

  limitConcurrency({ info: { started: 1 }, ext: () => {}, table: () => [route] }, 1);

  expect(route.settings.handler).toEqual({ proxy: {} });
});
