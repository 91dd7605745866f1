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
  unsupported,
} from "./schedule.ts";
import type { Timers } from "./timers.ts";

const PAGE_SIZE = 100;
const DEFAULT_GROUP = "default";

/** The account of a group, because its requests do not name one. */
const ACCOUNT = "000000000000";

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
const listSchema = z.object({ ...page, GroupName: nameSchema.optional(), State: stateSchema.optional() });
const groupSchema = z.object({ Name: nameSchema, ...token });
const createGroupSchema = groupSchema.extend({ Tags: unsupported() });
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
  | "ListScheduleGroups";

export interface Schedules {
  readonly operations: Operations;
  /** Deletes this schedule, but not a later one with the same name. */
  remove(schedule: Schedule): void;
}

interface Key {
  readonly GroupName: string;
  readonly Name: string;
}

interface Group {
  readonly Name: string;
  readonly createdMs: number;
}

/**
 * The schedules and groups that exist, in memory, and the operations on them.
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html
 * @param groupNames the groups that exist from the start, besides `default`
 */
export function createSchedules(
  groupNames: readonly string[],
  resolveTarget: TargetResolver,
  timers: Timers,
  clock: Clock,
): Schedules {
  const schedules = new Map<string, Schedule>();
  const groups = new Map([DEFAULT_GROUP, ...groupNames].map((Name) => [Name, { Name, createdMs: clock.now() }]));

  function createSchedule(members: Members): object {
    const { ClientToken, ...definition } = parseRequest(createSchema, members);
    const timed = resolve(definition);
    const same = find(definition);
    if (same) {
      const replayed = same.clientToken === ClientToken && isDeepStrictEqual(same.definition, definition);
      if (!replayed) throw alreadyExists("Schedule", definition.Name);
      return { ScheduleArn: same.arn };
    }
    const { partition, region, account } = timed.target;
    const arn = `arn:${partition}:scheduler:${region}:${account}:schedule/${keyOf(definition)}`;
    return start({ ...timed, arn, clientToken: ClientToken ?? randomUUID() });
  }

  function updateSchedule(members: Members): object {
    const { ClientToken, ...definition } = parseRequest(createSchema, members);
    const before = existing(definition);
    return start({ ...resolve(definition), arn: before.arn, clientToken: ClientToken ?? before.clientToken }, before);
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
    const { Name } = parseRequest(createGroupSchema, members);
    if (groups.has(Name)) throw alreadyExists("Schedule group", Name);
    const group = { Name, createdMs: clock.now() };
    groups.set(Name, group);
    return { ScheduleGroupArn: describeGroup(group, region).Arn };
  }

  function getScheduleGroup(members: Members, region: string): object {
    return describeGroup(checkGroup(parseRequest(groupSchema, members).Name), region);
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
    return { ScheduleGroups: items.map((group) => describeGroup(group, region)), ...next };
  }

  /** Where and when a schedule fires. */
  function resolve(definition: ScheduleDefinition) {
    const { Target, ScheduleExpression, ScheduleExpressionTimezone } = definition;
    return {
      definition,
      target: resolveTarget(Target),
      dueMs: parseExpression(ScheduleExpression, ScheduleExpressionTimezone),
    };
  }

  /**
   * @param before the schedule that it replaces
   * @throws SchedulerError a ValidationException when its time has passed, as AWS does. Checked last: a request whose reply
   *   was lost may be sent again after the time that it names.
   */
  function start(given: Omit<Schedule, "createdMs" | "modifiedMs">, before?: Schedule): object {
    const { definition, dueMs, arn } = given;
    const nowMs = clock.now();
    if (dueMs < nowMs) {
      throw validationError(`Invalid Schedule Expression ${definition.ScheduleExpression}. The time is in the past.`);
    }
    if (before) stop(before);
    const schedule = { ...given, createdMs: before?.createdMs ?? nowMs, modifiedMs: nowMs };
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
  };
  return { operations, remove };
}

/** `group/name`, as at the end of the schedule's ARN: neither part can contain a slash. */
const keyOf = ({ GroupName, Name }: Key): string => `${GroupName}/${Name}`;

function describeGroup({ Name, createdMs }: Group, region: string) {
  const Arn = `arn:aws:scheduler:${region}:${ACCOUNT}:schedule-group/${Name}`;
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
