import {
  CreateScheduleCommand,
  DeleteScheduleCommand,
  ListSchedulesCommand,
  type ListSchedulesCommandInput,
  paginateListSchedules,
  ResourceNotFoundException,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { expect, test } from "vitest";
import { FAR_AWAY, type Harness, schedule, startHarness, target } from "./harness.ts";

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
