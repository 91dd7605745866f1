import {
  ConflictException,
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  GetScheduleCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  atExpression,
  FAR_AWAY,
  type Harness,
  PATIENT,
  refusal,
  schedule,
  soon,
  startHarness,
  target,
} from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

function create(input: CreateScheduleCommandInput) {
  return harness.client.send(new CreateScheduleCommand(input));
}

describe("a schedule", () => {
  test("is created in its group, in the Region and account of its target", async () => {
    const reply = await create(schedule("placed", FAR_AWAY));
    expect(reply.ScheduleArn).toBe("arn:aws:scheduler:eu-central-1:123456789012:schedule/orders/placed");
    expect(reply.$metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  test("goes to the default group when it names none", async () => {
    const { GroupName: _, ...ungrouped } = schedule("ungrouped", FAR_AWAY);
    expect((await create(ungrouped)).ScheduleArn).toMatch(/:schedule\/default\/ungrouped$/);
  });

  test("may have any name of the pattern, dots included", async () => {
    for (const name of ["a", "..", "A-z_0.9", "n".repeat(64)]) {
      await create(schedule(name, FAR_AWAY));
      const found = await harness.client.send(new GetScheduleCommand({ Name: name, GroupName: "orders" }));
      expect(found.Name).toBe(name);
    }
  });

  test("in an unknown group is refused", async () => {
    const error = await refusal(create(schedule("lost", FAR_AWAY, { GroupName: "nowhere" })));
    expect(error).toBeInstanceOf(ResourceNotFoundException);
    expect(error).toMatchObject({
      message: "Schedule group nowhere does not exist.",
      $metadata: { httpStatusCode: 404 },
    });
  });

  test("may have an Input of 256 KB", async () => {
    const Input = JSON.stringify({ text: "\n".repeat(131_000) });
    expect(Buffer.byteLength(Input)).toBeGreaterThan(262_000);
    await create(schedule("large", FAR_AWAY, { Target: target({ Input }) }));
  });
});

describe("a client token", () => {
  test("makes the same request again a success with the same ARN, and nothing is made twice", async () => {
    const at = soon();
    const input = schedule("again", at, { ClientToken: "t1", ActionAfterCompletion: "NONE" });
    const first = await create(input);
    const second = await create(input);
    expect(second.ScheduleArn).toBe(first.ScheduleArn);
    // One that is due later has arrived: had there been a second copy, it would have arrived before.
    await create(schedule("later", at + 1000, { Target: target({ Input: '"later"' }) }));
    await expect.poll(() => payloads(), PATIENT).toContain('"later"');
    expect(payloads().filter((payload) => payload === '{"pk":"1"}')).toHaveLength(1);
    // Its second has passed by now, and a reply that was lost is still given again.
    expect((await create(input)).ScheduleArn).toBe(first.ScheduleArn);
  });

  test("of another request does not give it the name", async () => {
    await create(schedule("taken", FAR_AWAY, { ClientToken: "t1" }));
    const error = await refusal(create(schedule("taken", FAR_AWAY, { ClientToken: "t2" })));
    expect(error).toBeInstanceOf(ConflictException);
    expect(error).toMatchObject({ message: "Schedule taken already exists.", $metadata: { httpStatusCode: 409 } });
  });

  test("does not cover other parameters", async () => {
    await create(schedule("changed", FAR_AWAY, { ClientToken: "t1" }));
    const other = schedule("changed", FAR_AWAY, { ClientToken: "t1", Target: target({ Input: '{"pk":"2"}' }) });
    expect(await refusal(create(other))).toBeInstanceOf(ConflictException);
  });

  test("of a schedule in another group is another schedule's", async () => {
    await create(schedule("twin", FAR_AWAY, { ClientToken: "t1" }));
    await create(schedule("twin", FAR_AWAY, { ClientToken: "t1", GroupName: "default" }));
  });
});

test("the expression of a test's time is the service's own form", () => {
  expect(atExpression(Date.UTC(2026, 10, 23, 6, 13, 5))).toBe("at(2026-11-23T06:13:05)");
});

function payloads(): string[] {
  return harness.lambda.invocations.map(({ payload }) => payload);
}
