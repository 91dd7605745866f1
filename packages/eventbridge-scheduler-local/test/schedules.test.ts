import {
  ConflictException,
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  GetScheduleGroupCommand,
  ListScheduleGroupsCommand,
  ListSchedulesCommand,
  type ListSchedulesCommandInput,
  paginateListSchedules,
  ResourceNotFoundException,
  UpdateScheduleCommand,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseExpression } from "../src/expression.ts";
import {
  atExpression,
  FAR_AWAY,
  type Harness,
  PATIENT,
  QUEUE_ARN,
  refusal,
  schedule,
  soon,
  startHarness,
  target,
} from "./harness.ts";

describe("creating", () => {
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
      expect(reply.$metadata).toMatchObject({
        httpStatusCode: 200,
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
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
});

describe("reading, changing and deleting", () => {
  test("GetSchedule shows all that was given, and when it was made", async () => {
    await using harness = await startHarness();
    const before = Date.now();
    const given = {
      ...schedule("whole", FAR_AWAY),
      ActionAfterCompletion: "NONE" as const,
      Description: "completes an order",
      State: "DISABLED" as const,
      ScheduleExpressionTimezone: "UTC",
      StartDate: new Date("2026-11-23T06:00:00Z"),
      EndDate: new Date("2099-11-23T06:00:00.500Z"),
      FlexibleTimeWindow: { Mode: "FLEXIBLE" as const, MaximumWindowInMinutes: 1440 },
      Target: target({
        RetryPolicy: { MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 60 },
        DeadLetterConfig: { Arn: QUEUE_ARN },
      }),
    };
    const { ScheduleArn: Arn } = await harness.client.send(new CreateScheduleCommand(given));

    const { $metadata, CreationDate, LastModificationDate, ...found } = await harness.client.send(
      new GetScheduleCommand({ Name: "whole", GroupName: "orders" }),
    );

    expect(found).toEqual({ ...given, Arn });
    expect(CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
    expect(LastModificationDate).toEqual(CreationDate);
  });

  test("GetSchedule shows the defaults of what was not given", async () => {
    await using harness = await startHarness();
    const { ActionAfterCompletion: _, ...bare } = schedule("bare", FAR_AWAY);
    await harness.client.send(new CreateScheduleCommand(bare));
    expect(await harness.client.send(new GetScheduleCommand({ Name: "bare", GroupName: "orders" }))).toMatchObject({
      State: "ENABLED",
      ScheduleExpressionTimezone: "UTC",
      ActionAfterCompletion: "NONE",
      Target: { RetryPolicy: { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86_400 } },
    });
  });

  test("an unknown schedule, or one of another group, is not found", async () => {
    await using harness = await startHarness();
    await harness.client.send(new CreateScheduleCommand(schedule("here", FAR_AWAY)));
    for (const command of [
      new GetScheduleCommand({ Name: "here" }),
      new GetScheduleCommand({ Name: "gone", GroupName: "orders" }),
      new DeleteScheduleCommand({ Name: "here" }),
    ]) {
      await expect(harness.client.send(command as GetScheduleCommand)).rejects.toSatisfy(
        (error) =>
          error instanceof ResourceNotFoundException && /^Schedule (here|gone) does not exist\.$/.test(error.message),
      );
    }
    const elsewhere = harness.client.send(new GetScheduleCommand({ Name: "here", GroupName: "nowhere" }));
    await expect(elsewhere).rejects.toThrow("Schedule group nowhere does not exist.");
  });

  test("a deleted schedule is gone, does not fire, and leaves its name free", async () => {
    await using harness = await startHarness();
    const at = soon();
    await harness.client.send(new CreateScheduleCommand(schedule("name", at)));
    await harness.client.send(new DeleteScheduleCommand({ Name: "name", GroupName: "orders" }));

    const found = harness.client.send(new GetScheduleCommand({ Name: "name", GroupName: "orders" }));
    await expect(found).rejects.toBeInstanceOf(ResourceNotFoundException);
    const successor = schedule("name", at + 1000, { Target: target({ Input: '"successor"' }) });
    await harness.client.send(new CreateScheduleCommand(successor));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(harness.lambda.invocations[0]?.payload).toBe('"successor"');
  });

  test("UpdateSchedule replaces all of a schedule but its creation date", async () => {
    await using harness = await startHarness();
    const at = soon();
    await harness.client.send(new CreateScheduleCommand(schedule("moved", at, { Description: "first" })));

    await harness.client.send(
      new UpdateScheduleCommand(schedule("moved", at + 1000, { Target: target({ Input: '"new"' }) })),
    );

    const found = await harness.client.send(new GetScheduleCommand({ Name: "moved", GroupName: "orders" }));
    expect(found).toMatchObject({ ScheduleExpression: schedule("moved", at + 1000).ScheduleExpression });
    expect(found.Description).toBeUndefined();
    await expect.poll(() => harness.exists("moved"), PATIENT).toBe(false);
    expect(harness.lambda.invocations.map(({ payload }) => payload)).toEqual(['"new"']);
    await expect(harness.client.send(new UpdateScheduleCommand(schedule("none", FAR_AWAY)))).rejects.toBeInstanceOf(
      ResourceNotFoundException,
    );
  });

  test("a time is one of its time zone: in summer and in winter, and the first of an hour that occurs twice", async () => {
    await using harness = await startHarness();
    const { client } = harness;
    for (const [local, zone, utc] of [
      ["2099-07-01T12:00:00", "Europe/Berlin", "2099-07-01T10:00:00Z"],
      ["2099-12-01T12:00:00", "America/New_York", "2099-12-01T17:00:00Z"],
      ["2099-10-25T02:30:00", "Europe/Berlin", "2099-10-25T00:30:00Z"],
      ["2099-01-01T05:30:00", "Asia/Kolkata", "2099-01-01T00:00:00Z"],
    ] as const) {
      expect(parseExpression(`at(${local})`, zone)).toBe(Date.parse(utc));
    }
    const at = soon();
    const local = new Date(at + 5.5 * 3_600_000).toISOString().slice(0, 19);
    const change = { ScheduleExpression: `at(${local})`, ScheduleExpressionTimezone: "Asia/Kolkata" };
    await client.send(new CreateScheduleCommand(schedule("kolkata", at, change)));
    await expect.poll(() => harness.exists("kolkata"), PATIENT).toBe(false);
    expect(harness.lambda.invocations[0]?.atMs).toBeGreaterThanOrEqual(at);
  });

  test("a group is created once, listed, and deleted with its schedules", async () => {
    await using harness = await startHarness();
    const { client } = harness;
    const { ScheduleGroupArn } = await client.send(new CreateScheduleGroupCommand({ Name: "night" }));
    expect(ScheduleGroupArn).toMatch(/^arn:aws:scheduler:eu-central-1:\d{12}:schedule-group\/night$/);
    await expect(client.send(new CreateScheduleGroupCommand({ Name: "night" }))).rejects.toThrow("already exists");
    expect(await client.send(new GetScheduleGroupCommand({ Name: "night" }))).toMatchObject({ State: "ACTIVE" });
    const { ScheduleGroups } = await client.send(new ListScheduleGroupsCommand());
    expect(ScheduleGroups?.map(({ Name }) => Name)).toEqual(["default", "night", "orders"]);

    await client.send(new CreateScheduleCommand(schedule("late", FAR_AWAY, { GroupName: "night" })));
    await client.send(new DeleteScheduleGroupCommand({ Name: "night" }));

    const found = client.send(new GetScheduleCommand({ Name: "late", GroupName: "night" }));
    await expect(found).rejects.toThrow("Schedule group night does not exist.");
    const tagged = client.send(new CreateScheduleGroupCommand({ Name: "tagged", Tags: [{ Key: "a", Value: "b" }] }));
    await expect(tagged).rejects.toThrow(/'tags'.* not supported/);
  });
});

describe("listing", () => {
  test("ListSchedules pages through all of them, each once, ordered by group and name", async () => {
    await using harness = await startHarness();
    await createAll(harness, ["c", "a", "e", "b", "d"]);
    await harness.client.send(new CreateScheduleCommand(schedule("z", FAR_AWAY, { GroupName: "default" })));

    const pages = [];
    for await (const page of paginateListSchedules({ client: harness.client, pageSize: 4 }, {}))
      pages.push(page.Schedules);

    expect(pages.map((page) => page?.map(({ Name }) => Name))).toEqual([
      ["z", "a", "b", "c"],
      ["d", "e"],
    ]);
    expect(pages[0]?.[0]).toEqual({
      Arn: "arn:aws:scheduler:eu-central-1:123456789012:schedule/default/z",
      Name: "z",
      GroupName: "default",
      State: "ENABLED",
      CreationDate: expect.any(Date),
      LastModificationDate: expect.any(Date),
      Target: { Arn: target().Arn },
    });
  });

  test("a full last page has no next token", async () => {
    await using harness = await startHarness();
    await createAll(harness, ["a", "b"]);
    const page = await harness.client.send(new ListSchedulesCommand({ MaxResults: 2 }));
    expect(page.Schedules).toHaveLength(2);
    expect(page.NextToken).toBeUndefined();
  });

  test("a schedule that goes between two pages hides no other", async () => {
    await using harness = await startHarness();
    await createAll(harness, ["a", "b", "c", "d"]);
    const first = await harness.client.send(new ListSchedulesCommand({ MaxResults: 2 }));
    await harness.client.send(new DeleteScheduleCommand({ Name: "a", GroupName: "orders" }));
    const { NextToken = "none" } = first;
    const second = await harness.client.send(new ListSchedulesCommand({ NextToken }));
    expect(second.Schedules?.map(({ Name }) => Name)).toEqual(["c", "d"]);
  });

  test("ListSchedules filters by group, name prefix and state", async () => {
    await using harness = await startHarness();
    await createAll(harness, ["one", "other"]);
    await harness.client.send(new CreateScheduleCommand(schedule("off", FAR_AWAY, { State: "DISABLED" })));
    await harness.client.send(new CreateScheduleCommand(schedule("default", FAR_AWAY, { GroupName: "default" })));

    expect(await names(harness, { GroupName: "orders" })).toEqual(["off", "one", "other"]);
    expect(await names(harness, { NamePrefix: "o" })).toEqual(["off", "one", "other"]);
    expect(await names(harness, { NamePrefix: "on" })).toEqual(["one"]);
    expect(await names(harness, { State: "DISABLED" })).toEqual(["off"]);
  });

  test("ListSchedules refuses an unknown group, a page of none or over 100, and a token of its own making", async () => {
    await using harness = await startHarness();
    await expect(names(harness, { GroupName: "nowhere" })).rejects.toBeInstanceOf(ResourceNotFoundException);
    await expect(names(harness, { MaxResults: 0 })).rejects.toBeInstanceOf(ValidationException);
    await expect(names(harness, { MaxResults: 101 })).rejects.toThrow("'maxResults'");
    await expect(names(harness, { NextToken: "rubbish" })).rejects.toThrow("Invalid NextToken.");
  });

  async function createAll(harness: Harness, all: readonly string[]): Promise<void> {
    for (const name of all) await harness.client.send(new CreateScheduleCommand(schedule(name, FAR_AWAY)));
  }

  async function names(harness: Harness, input: ListSchedulesCommandInput) {
    const { Schedules } = await harness.client.send(new ListSchedulesCommand(input));
    return Schedules?.map(({ Name }) => Name);
  }
});
