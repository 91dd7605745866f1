import { request } from "node:http";
import { SchedulerServiceException, UpdateScheduleCommand } from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAR_AWAY, type Harness, refusal, schedule, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

describe("a request", () => {
  const headers = { Authorization: "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/scheduler/aws4_request" };

  function post(body: string, more: Record<string, string> = headers) {
    return fetch(`${harness.url}/schedules/raw`, { method: "POST", body, headers: more });
  }

  test.each(["{", "[]", "null", ""])("with the body %j is refused", async (body) => {
    const reply = await post(body);
    expect(reply.status).toBe(400);
    expect(reply.headers.get("x-amzn-errortype")).toBe("SerializationException");
  });

  test("without a signature is refused, as AWS refuses it", async () => {
    const reply = await post("{}", {});
    expect(reply.status).toBe(403);
    expect(reply.headers.get("x-amzn-errortype")).toBe("MissingAuthenticationTokenException");
  });

  test("of a web page of another origin is refused, with a signature or without", async () => {
    const origin = "https://evil.example";
    for (const path of ["/schedules", "/_local/dead-letters"]) {
      const reply = await fetch(`${harness.url}${path}`, { headers: { ...headers, origin } });
      expect(reply.status).toBe(403);
      expect(reply.headers.get("x-amzn-errortype")).toBe("AccessDeniedException");
    }
  });

  test("with a body of over 2 MB is refused", async () => {
    expect((await post(" ".repeat(30_000_000))).status).toBe(413);
  });

  test("for a path that is not well encoded is refused", async () => {
    expect((await fetch(`${harness.url}/schedules/%ff`, { headers })).status).toBe(400);
  });

  test("for an operation that is not here names those that are", async () => {
    const error = await refusal(harness.client.send(new UpdateScheduleCommand(schedule("any", FAR_AWAY))));
    expect(error).toBeInstanceOf(SchedulerServiceException);
    expect(error).toMatchObject({
      name: "UnknownOperationException",
      message: expect.stringContaining("CreateSchedule"),
    });
  });

  test("whose client goes away halfway is no bug of ours", async () => {
    const abandoned = request(`${harness.url}/schedules/raw`, { method: "POST", headers });
    abandoned.on("error", () => undefined); // its own end, below
    abandoned.setHeader("Content-Length", "100");
    await new Promise<void>((resolve) => abandoned.write("{", () => resolve()));
    expect((await post("{")).status).toBe(400); // the server has read the half by now
    abandoned.destroy();
    expect((await post("{")).status).toBe(400);
  });

  test("is never logged as a bug of ours", () => {
    expect(harness.log).toEqual([]);
  });
});
