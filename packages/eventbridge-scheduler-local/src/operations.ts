import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { alreadyExists, notFound, parseRequest } from "./errors.ts";
import { parseExpression, refusePast } from "./expression.ts";
import { type LambdaFunction, parseLambdaArn } from "./lambda-arn.ts";
import { clientTokenSchema, definitionSchema, nameSchema, type Schedule } from "./schedule.ts";
import { keyOf, type ScheduleKey, type ScheduleStore } from "./store.ts";
import type { Timetable } from "./timetable.ts";

const keySchema = z.object({ Name: nameSchema, GroupName: nameSchema.default("default") });
const token = { ClientToken: clientTokenSchema.optional() };
// Extended once: zod compiles each new schema, which took a tenth of the CPU of an order.
const createSchema = definitionSchema.extend(token);
const deleteSchema = keySchema.extend(token);

/** The members of one request, from wherever its path, query and body carry them; not yet checked. */
export type Members = Readonly<Record<string, unknown>>;

export interface Operations {
  createSchedule(members: Members): object;
  getSchedule(members: Members): object;
  deleteSchedule(members: Members): object;
}

/**
 * What can be done to one schedule. Each takes a request's members, gives its reply's, and throws a SchedulerError.
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html
 */
export function createOperations(store: ScheduleStore, timetable: Timetable): Operations {
  function createSchedule(members: Members): object {
    const { ClientToken, ...definition } = parseRequest(createSchema, members);
    const lambda = parseLambdaArn(definition.Target.Arn);
    const dueMs = parseExpression(definition.ScheduleExpression, definition.ScheduleExpressionTimezone);
    const existing = store.find(definition);
    if (existing) {
      const replayed = existing.clientToken === ClientToken && isDeepStrictEqual(existing.definition, definition);
      if (!replayed) throw alreadyExists(definition.Name);
      return { ScheduleArn: existing.arn };
    }
    // Only now: a request whose reply was lost may come again after the time that it names.
    refusePast(definition.ScheduleExpression, dueMs);
    const arn = scheduleArn(definition, lambda);
    const clientToken = ClientToken ?? randomUUID();
    const schedule: Schedule = { arn, definition, clientToken, lambda, dueMs, createdMs: Date.now() };
    store.add(schedule);
    timetable.add(schedule);
    return { ScheduleArn: arn };
  }

  function getSchedule(members: Members): object {
    const { arn, definition, createdMs } = existing(parseRequest(keySchema, members));
    return { Arn: arn, ...definition, ...datesOf(createdMs) };
  }

  function deleteSchedule(members: Members): object {
    const schedule = existing(parseRequest(deleteSchema, members));
    timetable.cancel(schedule);
    store.remove(schedule);
    return {};
  }

  function existing(key: ScheduleKey): Schedule {
    const schedule = store.find(key);
    if (!schedule) throw notFound("Schedule", key.Name);
    return schedule;
  }

  return { createSchedule, getSchedule, deleteSchedule };
}

/** In seconds, as the protocol's JSON has them. No operation here changes a schedule. */
export function datesOf(createdMs: number) {
  return { CreationDate: createdMs / 1000, LastModificationDate: createdMs / 1000 };
}

function scheduleArn(key: ScheduleKey, { partition, region, account }: LambdaFunction): string {
  return `arn:${partition}:scheduler:${region}:${account}:schedule/${keyOf(key)}`;
}
