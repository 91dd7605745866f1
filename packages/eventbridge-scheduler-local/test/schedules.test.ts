import {
  ConflictException,
  CreateScheduleCommand,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  GetScheduleGroupCommand,
  ListScheduleGroupsCommand,
  ListSchedulesCommand,
  type ListSchedulesCommandInput,
  ListTagsForResourceCommand,
  paginateListSchedules,
  SchedulerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateScheduleCommand,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseExpression } from "../src/expression.ts";
import { AT, type Harness, QUEUE_ARN, saying, schedule, startHarness, target } from "./harness.ts";

const ARN = "arn:aws:scheduler:eu-central-1:123456789012";

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const find = (Name: string, GroupName = "orders") => harness.client.send(new GetScheduleCommand({ Name, GroupName }));

test("a schedule has any name of the pattern, dots included, and an Input of 256 KB", async () => {
  const Input = JSON.stringify({ text: "\n".repeat(131_000) });
  expect(Buffer.byteLength(Input)).toBeGreaterThan(262_000);
  for (const name of ["a", "..", "A-z_0.9", "n".repeat(64)]) {
    await harness.create(schedule(name, { Target: target({ Input }) }));
    expect((await find(name)).Name).toBe(name);
  }
});

describe("a client token", () => {
  test("makes the same request again a success with the same ARN, and nothing is made twice", async () => {
    const input = { ...saying("again"), ClientToken: "t1", ActionAfterCompletion: "NONE" as const };
    const { ScheduleArn } = await harness.create(input);
    expect(await harness.create(input)).toMatchObject({ ScheduleArn });
    await harness.create(saying("later", AT + 1000));
    await harness.fire(1);
    expect(await harness.fire(2, AT + 1000)).toEqual(['"again"', '"later"']);
    // Its second has passed by now, and a reply that was lost is still given again.
    expect(await harness.create(input)).toMatchObject({ ScheduleArn });
  });

  test("of another request, or with other parameters, does not give it the name; another group does", async () => {
    await harness.create(schedule("taken", { ClientToken: "t1" }));
    for (const changes of [
      { ClientToken: "t2" },
      { ClientToken: "t1", Target: target({ Input: '{"pk":"2"}' }) },
      { Description: "without a token" },
    ]) {
      await expect(harness.create(schedule("taken", changes))).rejects.toMatchObject({
        name: "ConflictException",
        message: "Schedule taken already exists.",
        $metadata: { httpStatusCode: 409 },
      });
    }
    await harness.create(schedule("taken", { ClientToken: "t1", GroupName: "default" }));
  });
});

describe("GetSchedule", () => {
  test("shows all that was given, and when it was made", async () => {
    const before = Date.now();
    const given = {
      ...schedule("whole"),
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
    await harness.create(given);

    const { $metadata, CreationDate, LastModificationDate, ...found } = await find("whole");

    const EndDate = new Date("2099-11-23T06:00:00Z"); // whole seconds
    expect(found).toEqual({ ...given, EndDate, Arn: `${ARN}:schedule/orders/whole` });
    expect(CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
    expect(LastModificationDate).toEqual(CreationDate);
  });

  test("shows the defaults of what was not given", async () => {
    const { ActionAfterCompletion: _, GroupName: __, ...bare } = schedule("bare");
    expect(await harness.create(bare)).toMatchObject({
      ScheduleArn: `${ARN}:schedule/default/bare`,
      $metadata: { httpStatusCode: 200, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    expect(await find("bare", "default")).toMatchObject({
      State: "ENABLED",
      ScheduleExpressionTimezone: "UTC",
      ActionAfterCompletion: "NONE",
      Target: { RetryPolicy: { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86_400 } },
    });
  });
});

test("an unknown schedule, one of another group and an unknown group are not found", async () => {
  await harness.create(schedule("here"));
  for (const [request, what] of [
    [() => find("here", "default"), "Schedule here"],
    [() => find("gone"), "Schedule gone"],
    [() => find("here", "nowhere"), "Schedule group nowhere"],
    [() => harness.client.send(new DeleteScheduleCommand({ Name: "here" })), "Schedule here"],
    [() => harness.client.send(new UpdateScheduleCommand(schedule("gone"))), "Schedule gone"],
    [() => harness.create(schedule("lost", { GroupName: "nowhere" })), "Schedule group nowhere"],
    [() => names({ GroupName: "nowhere" }), "Schedule group nowhere"],
  ] as const) {
    await expect(request()).rejects.toMatchObject({
      name: "ResourceNotFoundException",
      message: `${what} does not exist.`,
      $metadata: { httpStatusCode: 404 },
    });
  }
});

test("a deleted schedule is gone, does not fire, and leaves its name free", async () => {
  await harness.create(schedule("name"));
  await harness.client.send(new DeleteScheduleCommand({ Name: "name", GroupName: "orders" }));

  expect(await harness.exists("name")).toBe(false);
  await harness.create(schedule("name", { Target: target({ Input: '"successor"' }) }, AT + 1000));
  await harness.fire(0);
  expect(await harness.fire(1, AT + 1000)).toEqual(['"successor"']);
});

test("an updated schedule has all its parameters replaced but its creation date, and fires at its new time", async () => {
  const update = (input: ReturnType<typeof schedule>) => harness.client.send(new UpdateScheduleCommand(input));
  await harness.create(schedule("moved", { Description: "first", ClientToken: "t1" }));
  const { CreationDate } = await find("moved");
  harness.advance(1000);

  const moved = schedule("moved", { Target: target({ Input: '"new"' }) }, AT + 1000);
  await update(moved);
  // A refused update leaves it as it is.
  await expect(update(schedule("moved", {}, Date.now() - 86_400_000))).rejects.toThrow("in the past");

  const found = await find("moved");
  expect(found).toMatchObject({ ScheduleExpression: moved.ScheduleExpression, CreationDate });
  expect(found.Description).toBeUndefined();
  expect(found.LastModificationDate?.getTime()).toBeGreaterThanOrEqual((CreationDate?.getTime() ?? 0) + 1000);
  await harness.create(saying("between"));
  await harness.fire(1);
  expect(await harness.fire(2, AT + 1000)).toEqual(['"between"', '"new"']);
});

test("a time is one of its time zone: in summer and in winter, and the first of an hour that occurs twice", async () => {
  for (const [local, zone, utc] of [
    ["2099-07-01T12:00:00", "Europe/Berlin", "2099-07-01T10:00:00Z"],
    ["2099-12-01T12:00:00", "America/New_York", "2099-12-01T17:00:00Z"],
    ["2099-10-25T02:30:00", "Europe/Berlin", "2099-10-25T00:30:00Z"],
    ["2099-01-01T05:30:00", "Asia/Kolkata", "2099-01-01T00:00:00Z"],
  ] as const) {
    expect(parseExpression(`at(${local})`, zone).next(0, 0)).toBe(Date.parse(utc));
  }
  await harness.create({
    ...schedule("kolkata", {}, AT + 5.5 * 3_600_000),
    ScheduleExpressionTimezone: "Asia/Kolkata",
  });
  expect(await harness.fire(1)).toHaveLength(1);
});

test("a group is created once, listed, and deleted with its schedules", async () => {
  const { client } = harness;
  const { ScheduleGroupArn } = await client.send(new CreateScheduleGroupCommand({ Name: "night" }));
  expect(ScheduleGroupArn).toMatch(/^arn:aws:scheduler:eu-central-1:\d{12}:schedule-group\/night$/);
  const again = client.send(new CreateScheduleGroupCommand({ Name: "night" }));
  await expect(again).rejects.toBeInstanceOf(ConflictException);
  expect(await client.send(new GetScheduleGroupCommand({ Name: "night" }))).toMatchObject({ State: "ACTIVE" });
  const { ScheduleGroups } = await client.send(new ListScheduleGroupsCommand());
  expect(ScheduleGroups?.map(({ Name }) => Name)).toEqual(["default", "night", "orders"]);

  await harness.create({ ...saying("late"), GroupName: "night" });
  await client.send(new DeleteScheduleGroupCommand({ Name: "night" }));

  await expect(find("late", "night")).rejects.toThrow("Schedule group night does not exist.");
  await harness.create(saying("other", AT + 1000));
  await harness.fire(0);
  expect(await harness.fire(1, AT + 1000)).toEqual(['"other"']);
});

test("a client token makes the same group again a success, and another token does not", async () => {
  const create = (ClientToken: string) =>
    harness.client.send(new CreateScheduleGroupCommand({ Name: "night", ClientToken }));
  const { ScheduleGroupArn } = await create("t1");
  expect(await create("t1")).toMatchObject({ ScheduleGroupArn });
  await expect(create("t2")).rejects.toBeInstanceOf(ConflictException);
});

test("a group has tags, which are added, replaced and removed; a schedule has none", async () => {
  const { client } = harness;
  const tag = (Key: string, Value: string) => ({ Key, Value });
  const { ScheduleGroupArn: ResourceArn } = await client.send(
    new CreateScheduleGroupCommand({ Name: "tagged", Tags: [tag("a", "1"), tag("b", "1")] }),
  );
  await client.send(new TagResourceCommand({ ResourceArn, Tags: [tag("b", "2"), tag("c", "1"), tag("d", "1")] }));
  await client.send(new UntagResourceCommand({ ResourceArn, TagKeys: ["a", "d", "none"] }));
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceArn }));
  expect(Tags).toEqual([tag("b", "2"), tag("c", "1")]);

  const { ScheduleArn } = await harness.create(schedule("untagged"));
  const tags = client.send(new ListTagsForResourceCommand({ ResourceArn: ScheduleArn }));
  await expect(tags).rejects.toThrow(/'resourceArn' .* pattern: .*schedule-group/);
});

test("Region and partition are those of the signature, and the account is an option, whatever the target has", async () => {
  await using other = await startHarness({ accountId: "210987654321" });
  for (const [region, partition] of [
    ["eu-west-1", "aws"],
    ["us-gov-west-1", "aws-us-gov"],
    ["cn-north-1", "aws-cn"],
  ] as const) {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const client = new SchedulerClient({ endpoint: other.url, region, credentials });
    const { ScheduleArn } = await client.send(new CreateScheduleCommand(schedule(region)));
    const { Arn } = await client.send(new GetScheduleGroupCommand({ Name: "orders" }));
    expect([ScheduleArn, Arn]).toEqual([
      `arn:${partition}:scheduler:${region}:210987654321:schedule/orders/${region}`,
      `arn:${partition}:scheduler:${region}:210987654321:schedule-group/orders`,
    ]);
  }
  await expect(startHarness({ accountId: "1" })).rejects.toThrow("accountId must have 12 digits: 1");
});

test.each([
  [{ throttleRate: 1 }, "ThrottlingException", 429, true],
  [{ quotaRate: 1 }, "ServiceQuotaExceededException", 402, false],
  [{ errorRate: 1 }, "InternalServerException", 500, true],
])("with %j requests get a %s", async (faults, name, httpStatusCode, readsToo) => {
  harness.setFaults({ ...faults, times: 2 });
  const fault = { name, $metadata: { httpStatusCode } };
  await expect(harness.create(schedule("a"))).rejects.toMatchObject(fault);
  const list = harness.client.send(new ListSchedulesCommand());
  if (readsToo) await expect(list).rejects.toMatchObject(fault);
  else await expect(harness.create(schedule("a"))).rejects.toMatchObject(fault);
  expect((await harness.client.send(new ListSchedulesCommand())).Schedules).toEqual([]);
  await harness.create(schedule("a"));
});

describe("ListSchedules", () => {
  test("pages through all of them, each once, ordered by group and name", async () => {
    for (const name of ["c", "a", "e", "b", "d"]) await harness.create(schedule(name));
    await harness.create(schedule("z", { GroupName: "default" }));

    const pages = [];
    for await (const { Schedules } of paginateListSchedules({ client: harness.client, pageSize: 3 }, {})) {
      pages.push(Schedules);
    }

    // A full last page has no next token.
    expect(pages.map((page) => page?.map(({ Name }) => Name))).toEqual([
      ["z", "a", "b"],
      ["c", "d", "e"],
    ]);
    expect(pages[0]?.[0]).toEqual({
      Arn: `${ARN}:schedule/default/z`,
      Name: "z",
      GroupName: "default",
      State: "ENABLED",
      CreationDate: expect.any(Date),
      LastModificationDate: expect.any(Date),
      Target: { Arn: target().Arn },
    });
  });

  test("hides no schedule when another goes between two pages", async () => {
    for (const name of ["a", "b", "c", "d"]) await harness.create(schedule(name));
    const { NextToken = "none" } = await harness.client.send(new ListSchedulesCommand({ MaxResults: 2 }));
    await harness.client.send(new DeleteScheduleCommand({ Name: "a", GroupName: "orders" }));
    expect(await names({ NextToken })).toEqual(["c", "d"]);
  });

  test("filters by group, name prefix and state, and refuses what no list has", async () => {
    for (const name of ["one", "other"]) await harness.create(schedule(name));
    await harness.create(schedule("off", { State: "DISABLED" }));
    await harness.create(schedule("default", { GroupName: "default" }));

    expect(await names({ GroupName: "orders" })).toEqual(["off", "one", "other"]);
    expect(await names({ NamePrefix: "on" })).toEqual(["one"]);
    expect(await names({ State: "DISABLED" })).toEqual(["off"]);
    await expect(names({ MaxResults: 0 })).rejects.toBeInstanceOf(ValidationException);
    await expect(names({ MaxResults: 101 })).rejects.toThrow("'maxResults'");
    await expect(names({ NextToken: "rubbish" })).rejects.toThrow("Invalid NextToken.");
  });
});

async function names(input: ListSchedulesCommandInput) {
  const { Schedules } = await harness.client.send(new ListSchedulesCommand(input));
  return Schedules?.map(({ Name }) => Name);
}
