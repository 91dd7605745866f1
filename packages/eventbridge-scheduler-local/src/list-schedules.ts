import { z } from "zod";
import { parseRequest, validationError } from "./errors.ts";
import { datesOf, type Members } from "./operations.ts";
import { nameSchema, type Schedule, stateSchema } from "./schedule.ts";
import { keyOf, type ScheduleStore } from "./store.ts";

const PAGE_SIZE = 100;

const requestSchema = z.object({
  GroupName: nameSchema.optional(),
  NamePrefix: nameSchema.optional(),
  State: stateSchema.optional(),
  MaxResults: z.coerce.number().int().min(1).max(PAGE_SIZE).default(PAGE_SIZE),
  NextToken: z.string().min(1).max(2048).optional(),
});

/**
 * One page of the schedules, ordered by group and name. A page's token is the last schedule it showed, not a position:
 * schedules that go between two calls make none of the others appear twice or never.
 *
 * @throws SchedulerError a ValidationException, or a ResourceNotFoundException when the group does not exist.
 */
export function listSchedules(store: ScheduleStore, members: Members): object {
  const request = parseRequest(requestSchema, members);
  const after = request.NextToken === undefined ? "" : decodeToken(request.NextToken);
  const rest = store
    .list(request.GroupName)
    .filter(
      ({ definition }) =>
        keyOf(definition) > after &&
        definition.Name.startsWith(request.NamePrefix ?? "") &&
        (request.State === undefined || definition.State === request.State),
    );
  const page = rest.slice(0, request.MaxResults);
  const last = page.at(-1);
  return {
    Schedules: page.map(summaryOf),
    ...(last && rest.length > page.length ? { NextToken: encodeToken(last) } : {}),
  };
}

function summaryOf({ arn, definition, createdMs }: Schedule) {
  const { Name, GroupName, State, Target } = definition;
  return { Arn: arn, Name, GroupName, State, ...datesOf(createdMs), Target: { Arn: Target.Arn } };
}

function encodeToken({ definition }: Schedule): string {
  return Buffer.from(keyOf(definition)).toString("base64url");
}

function decodeToken(token: string): string {
  const key = Buffer.from(token, "base64url").toString();
  if (!/^[0-9a-zA-Z-_.]+\/[0-9a-zA-Z-_.]+$/.test(key)) throw validationError("Invalid NextToken.");
  return key;
}
