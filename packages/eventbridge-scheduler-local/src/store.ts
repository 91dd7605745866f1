import { notFound } from "./errors.ts";
import type { Schedule } from "./schedule.ts";

/** Where a schedule is kept. A name is unique in its group only. */
export interface ScheduleKey {
  readonly GroupName: string;
  readonly Name: string;
}

/** The schedules that exist, in memory. */
export interface ScheduleStore {
  /** @throws SchedulerError a ResourceNotFoundException when the group does not exist. */
  find(key: ScheduleKey): Schedule | undefined;
  add(schedule: Schedule): void;
  /** Forgets this schedule, and no later one of the same name. */
  remove(schedule: Schedule): void;
  /** All schedules, or those of one group, ordered by `keyOf`. @throws SchedulerError as `find` does. */
  list(groupName?: string): Schedule[];
}

export function createStore(groups: readonly string[]): ScheduleStore {
  const groupNames = new Set(["default", ...groups]);
  const schedules = new Map<string, Schedule>();

  function checkGroup(name: string): void {
    if (!groupNames.has(name)) throw notFound("Schedule group", name);
  }

  function find(key: ScheduleKey): Schedule | undefined {
    checkGroup(key.GroupName);
    return schedules.get(keyOf(key));
  }

  function add(schedule: Schedule): void {
    schedules.set(keyOf(schedule.definition), schedule);
  }

  function remove(schedule: Schedule): void {
    const key = keyOf(schedule.definition);
    if (schedules.get(key) === schedule) schedules.delete(key);
  }

  function list(groupName?: string): Schedule[] {
    if (groupName !== undefined) checkGroup(groupName);
    return [...schedules]
      .filter(([, { definition }]) => groupName === undefined || definition.GroupName === groupName)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, schedule]) => schedule);
  }

  return { find, add, remove, list };
}

/** `group/name`, as it ends the schedule's ARN: neither part can hold a slash. */
export function keyOf(key: ScheduleKey): string {
  return `${key.GroupName}/${key.Name}`;
}
