import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Clock } from "./clock.ts";
import { alreadyExists, notFound, parseRequest, validationError } from "./errors.ts";
import { parseExpression } from "./expression.ts";
import {
  clientTokenSchema,
  definitionSchema,
  nameSchema,
  type Schedule,
  type ScheduleDefinition,
  stateSchema,
  type TargetResolver,
  timeFrom,
} from "./schedule.ts";
import type { Timers } from "./timers.ts";

const PAGE_SIZE = 100;
const DEFAULT_GROUP = "default";

const MINUTE_MS = 60_000;
const MAX_TAGS = 50;

/** Schedules have no tags. https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html */
const GROUP_ARN = /^arn:aws(?:-[a-z]+)?:scheduler:[a-z0-9-]+:\d{12}:schedule-group\/([0-9a-zA-Z-_.]+)$/;

const token = { ClientToken: clientTokenSchema.optional() };
const page = {
  NamePrefix: nameSchema.optional(),
  MaxResults: z.coerce.number().int().min(1).max(PAGE_SIZE).default(PAGE_SIZE),
  NextToken: z.string().min(1).max(2048).optional(),
};
const keySchema = z.object({ Name: nameSchema, GroupName: nameSchema.default(DEFAULT_GROUP) });
// Extended once: zod compiles each new schema, which took a tenth of the CPU of an order.
const createSchema = definitionSchema.extend(token);
const deleteSchema = keySchema.extend(token);
const tagsSchema = z
  .array(z.object({ Key: z.string().min(1).max(128), Value: z.string().min(1).max(256) }))
  .max(MAX_TAGS)
  .default([]);
const resourceArn = { ResourceArn: z.string().min(1).max(1011).regex(GROUP_ARN) };
const tagResourceSchema = z.object({ ...resourceArn, Tags: tagsSchema });
const untagResourceSchema = z.object({ ...resourceArn, TagKeys: z.array(z.string().min(1).max(128)).max(MAX_TAGS) });
const listTagsSchema = z.object(resourceArn);
const listSchema = z.object({ ...page, GroupName: nameSchema.optional(), State: stateSchema.optional() });
const groupSchema = z.object({ Name: nameSchema, ...token });
const createGroupSchema = groupSchema.extend({ Tags: tagsSchema });
const listGroupsSchema = z.object(page);

/** The members of a request, from its path, query and body, not yet checked. */
export type Members = Readonly<Record<string, unknown>>;

/** The operations by name. Each takes a request's members and its Region, and returns the reply's members. */
export type Operations = Readonly<Record<OperationName, (members: Members, region: string) => object>>;

export type OperationName =
  | "CreateSchedule"
  | "GetSchedule"
  | "UpdateSchedule"
  | "DeleteSchedule"
  | "ListSchedules"
  | "CreateScheduleGroup"
  | "GetScheduleGroup"
  | "DeleteScheduleGroup"
  | "ListScheduleGroups"
  | "TagResource"
  | "UntagResource"
  | "ListTagsForResource";

export interface Schedules {
  readonly operations: Operations;
  /** Deletes this schedule, but not a later one with the same name. */
  remove(schedule: Schedule): void;
}

interface Key {
  readonly GroupName: string;
  readonly Name: string;
}

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

interface Group {
  readonly Name: string;
  readonly clientToken?: string | undefined;
  /** Values by key. */
  readonly tags: Map<string, string>;
  readonly createdMs: number;
}

/**
 * The schedules and groups that exist, in memory, and the operations on them.
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html
 * @param groupNames the groups that exist from the start, besides `default`
 * @param account of every schedule and group
 */
export function createSchedules(
  groupNames: readonly string[],
  account: string,
  resolveTarget: TargetResolver,
  timers: Timers,
  clock: Clock,
): Schedules {
  const schedules = new Map<string, Schedule>();
  const groups = new Map([DEFAULT_GROUP, ...groupNames].map((Name) => [Name, newGroup({ Name })]));

  function newGroup(group: Pick<Group, "Name" | "clientToken">, tags: readonly Tag[] = []): Group {
    return { ...group, createdMs: clock.now(), tags: new Map(tags.map(({ Key, Value }) => [Key, Value])) };
  }

  function createSchedule(members: Members, region: string): object {
    const { ClientToken, ...definition } = parseRequest(createSchema, members);
    const timed = resolve(definition);
    const same = find(definition);
    if (same) {
      const replayed = same.clientToken === ClientToken && isDeepStrictEqual(same.definition, definition);
      if (!replayed) throw alreadyExists("Schedule", definition.Name);
      return { ScheduleArn: same.arn };
    }
    const arn = arnOf(region, account, `schedule/${keyOf(definition)}`);
    return start({ ...timed, arn, region, account, clientToken: ClientToken ?? randomUUID() });
  }

  function updateSchedule(members: Members): object {
    const { ClientToken, ...definition } = parseRequest(createSchema, members);
    const before = existing(definition);
    const { arn, region, clientToken } = before;
    return start({ ...resolve(definition), arn, region, account, clientToken: ClientToken ?? clientToken }, before);
  }

  function getSchedule(members: Members): object {
    const { arn, definition, ...times } = existing(parseRequest(keySchema, members));
    return { Arn: arn, ...definition, ...datesOf(times) };
  }

  function deleteSchedule(members: Members): object {
    stop(existing(parseRequest(deleteSchema, members)));
    return {};
  }

  /** Ordered by group and name. A page's token is its last schedule, so that deleted schedules do not shift pages. */
  function listSchedules(members: Members): object {
    const { GroupName, State, ...request } = parseRequest(listSchema, members);
    if (GroupName !== undefined) checkGroup(GroupName);
    const matching = [...schedules].filter(
      ([, { definition }]) =>
        (GroupName === undefined || definition.GroupName === GroupName) &&
        (State === undefined || definition.State === State) &&
        definition.Name.startsWith(request.NamePrefix ?? ""),
    );
    const { items, ...next } = pageOf(matching, request);
    const Schedules = items.map(({ arn, definition: { Name, GroupName, State, Target }, ...times }) => {
      return { Arn: arn, Name, GroupName, State, ...datesOf(times), Target: { Arn: Target.Arn } };
    });
    return { Schedules, ...next };
  }

  function createScheduleGroup(members: Members, region: string): object {
    const { Name, ClientToken, Tags } = parseRequest(createGroupSchema, members);
    const same = groups.get(Name);
    const replayed = same?.clientToken !== undefined && same.clientToken === ClientToken;
    if (same && !replayed) throw alreadyExists("Schedule group", Name);
    const group = same ?? newGroup({ Name, clientToken: ClientToken }, Tags);
    groups.set(Name, group);
    return { ScheduleGroupArn: describeGroup(group, region, account).Arn };
  }

  function getScheduleGroup(members: Members, region: string): object {
    return describeGroup(checkGroup(parseRequest(groupSchema, members).Name), region, account);
  }

  function deleteScheduleGroup(members: Members): object {
    const { Name } = checkGroup(parseRequest(groupSchema, members).Name);
    if (Name === DEFAULT_GROUP) throw validationError("The default schedule group cannot be deleted.");
    for (const schedule of schedules.values()) if (schedule.definition.GroupName === Name) stop(schedule);
    groups.delete(Name);
    return {};
  }

  function listScheduleGroups(members: Members, region: string): object {
    const request = parseRequest(listGroupsSchema, members);
    const matching = [...groups].filter(([name]) => name.startsWith(request.NamePrefix ?? ""));
    const { items, ...next } = pageOf(matching, request);
    return { ScheduleGroups: items.map((group) => describeGroup(group, region, account)), ...next };
  }

  function tagResource(members: Members): object {
    const { ResourceArn, Tags } = parseRequest(tagResourceSchema, members);
    const { tags } = groupOf(ResourceArn);
    const merged = new Map([...tags, ...Tags.map(({ Key, Value }) => [Key, Value] as const)]);
    if (merged.size > MAX_TAGS) throw validationError(`A schedule group has at most ${MAX_TAGS} tags.`);
    for (const [key, value] of merged) tags.set(key, value);
    return {};
  }

  function untagResource(members: Members): object {
    const { ResourceArn, TagKeys } = parseRequest(untagResourceSchema, members);
    const { tags } = groupOf(ResourceArn);
    for (const key of TagKeys) tags.delete(key);
    return {};
  }

  function listTagsForResource(members: Members): object {
    const { tags } = groupOf(parseRequest(listTagsSchema, members).ResourceArn);
    return { Tags: [...tags].map(([Key, Value]) => ({ Key, Value })) };
  }

  function groupOf(arn: string): Group {
    return checkGroup(GROUP_ARN.exec(arn)?.[1] ?? "");
  }

  /** Where and when a schedule fires. */
  function resolve(definition: ScheduleDefinition) {
    const { Target, ScheduleExpression, ScheduleExpressionTimezone } = definition;
    return {
      definition,
      target: resolveTarget(Target),
      expression: parseExpression(ScheduleExpression, ScheduleExpressionTimezone),
    };
  }

  /**
   * @param before the schedule that it replaces
   * @throws SchedulerError a ValidationException when its time has passed, as AWS does. Checked last: a request whose reply
   *   was lost may be sent again after the time that it names.
   */
  function start(given: Omit<Schedule, "dueMs" | "createdMs" | "modifiedMs">, before?: Schedule): object {
    const { definition, expression, arn } = given;
    const nowMs = clock.now();
    if (!expression.oneTime) checkDates(definition, nowMs);
    const dueMs = expression.oneTime ? expression.next(nowMs, nowMs) : timeFrom(nowMs, definition, expression, nowMs);
    if (dueMs === undefined) {
      const reason = expression.oneTime ? "The time is in the past." : "It is never due.";
      throw validationError(`Invalid Schedule Expression ${definition.ScheduleExpression}. ${reason}`);
    }
    if (before) stop(before);
    const schedule = { ...given, dueMs, createdMs: before?.createdMs ?? nowMs, modifiedMs: nowMs };
    schedules.set(keyOf(definition), schedule);
    timers.add(schedule);
    return { ScheduleArn: arn };
  }

  function stop(schedule: Schedule): void {
    timers.cancel(schedule);
    remove(schedule);
  }

  function remove(schedule: Schedule): void {
    const key = keyOf(schedule.definition);
    if (schedules.get(key) === schedule) schedules.delete(key);
  }

  function find(key: Key): Schedule | undefined {
    checkGroup(key.GroupName);
    return schedules.get(keyOf(key));
  }

  function existing(key: Key): Schedule {
    const schedule = find(key);
    if (!schedule) throw notFound("Schedule", key.Name);
    return schedule;
  }

  function checkGroup(name: string): Group {
    const group = groups.get(name);
    if (!group) throw notFound("Schedule group", name);
    return group;
  }

  const operations = {
    CreateSchedule: createSchedule,
    GetSchedule: getSchedule,
    UpdateSchedule: updateSchedule,
    DeleteSchedule: deleteSchedule,
    ListSchedules: listSchedules,
    CreateScheduleGroup: createScheduleGroup,
    GetScheduleGroup: getScheduleGroup,
    DeleteScheduleGroup: deleteScheduleGroup,
    ListScheduleGroups: listScheduleGroups,
    TagResource: tagResource,
    UntagResource: untagResource,
    ListTagsForResource: listTagsForResource,
  };
  return { operations, remove };
}

/** `group/name`, as at the end of the schedule's ARN: neither part can contain a slash. */
const keyOf = ({ GroupName, Name }: Key): string => `${GroupName}/${Name}`;

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html (partitions) */
function arnOf(region: string, account: string, resource: string): string {
  const partition = region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
  return `arn:${partition}:scheduler:${region}:${account}:${resource}`;
}

/** @throws SchedulerError a ValidationException as AWS's; its words for an EndDate are not documented */
function checkDates({ StartDate, EndDate }: ScheduleDefinition, nowMs: number): void {
  if (StartDate !== undefined && StartDate * 1000 < nowMs - 5 * MINUTE_MS) {
    throw validationError("The StartDate you specify cannot be earlier than 5 minutes ago.");
  }
  if (EndDate !== undefined && EndDate * 1000 <= Math.max(nowMs, (StartDate ?? 0) * 1000)) {
    throw validationError("The EndDate you specify must be later than now and than the StartDate.");
  }
}

function describeGroup({ Name, createdMs }: Group, region: string, account: string) {
  const Arn = arnOf(region, account, `schedule-group/${Name}`);
  return { Arn, Name, State: "ACTIVE", ...datesOf({ createdMs, modifiedMs: createdMs }) };
}

/** In seconds, as in the protocol's JSON. */
function datesOf({ createdMs, modifiedMs }: Pick<Schedule, "createdMs" | "modifiedMs">) {
  return { CreationDate: createdMs / 1000, LastModificationDate: modifiedMs / 1000 };
}

function pageOf<Item>(
  entries: readonly [string, Item][],
  { MaxResults, NextToken }: { MaxResults: number; NextToken?: string | undefined },
): { items: Item[]; NextToken?: string } {
  const after = NextToken === undefined ? "" : decodeToken(NextToken);
  const rest = entries.filter(([key]) => key > after).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = rest.slice(0, MaxResults);
  const last = shown.at(-1)?.[0] ?? "";
  const items = shown.map(([, item]) => item);
  return rest.length > shown.length ? { items, NextToken: Buffer.from(last).toString("base64url") } : { items };
}

function decodeToken(text: string): string {
  const key = Buffer.from(text, "base64url").toString();
  if (!/^[0-9a-zA-Z-_.]+(\/[0-9a-zA-Z-_.]+)?$/.test(key)) throw validationError("Invalid NextToken.");
  return key;
}
