import { SchedulerError, validationError } from "./errors.ts";
import type { Members } from "./operations.ts";

type Operation = "createSchedule" | "getSchedule" | "deleteSchedule" | "listSchedules";

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly operation: Operation;
  /** Query parameters and the members they carry: the names differ. */
  readonly query: Readonly<Record<string, string>>;
}

const ROUTES: readonly Route[] = [
  { method: "POST", path: /^\/schedules\/(?<Name>[^/]+)$/, operation: "createSchedule", query: {} },
  {
    method: "GET",
    path: /^\/schedules\/(?<Name>[^/]+)$/,
    operation: "getSchedule",
    query: { groupName: "GroupName" },
  },
  {
    method: "DELETE",
    path: /^\/schedules\/(?<Name>[^/]+)$/,
    operation: "deleteSchedule",
    query: { groupName: "GroupName", clientToken: "ClientToken" },
  },
  {
    method: "GET",
    path: /^\/schedules\/?$/,
    operation: "listSchedules",
    query: {
      ScheduleGroup: "GroupName",
      NamePrefix: "NamePrefix",
      State: "State",
      MaxResults: "MaxResults",
      NextToken: "NextToken",
    },
  },
];

export interface RoutedRequest {
  readonly operation: Operation;
  /** Those of path and query. */
  readonly members: Members;
}

/**
 * Which operation a request asks for. `target` is the raw one of the request line: a URL parser would resolve `.` and
 * `..`, both of which are names a schedule may have.
 *
 * @throws SchedulerError an UnknownOperationException when there is none, a ValidationException when the path is not
 *   well encoded.
 */
export function route(method: string, target: string): RoutedRequest {
  const [path = "", query = ""] = target.split("?", 2);
  for (const candidate of ROUTES) {
    const match = candidate.method === method ? candidate.path.exec(path) : null;
    if (!match) continue;
    return {
      operation: candidate.operation,
      members: { ...queryMembers(candidate, query), ...pathMembers(match.groups ?? {}) },
    };
  }
  throw new SchedulerError(
    404,
    "UnknownOperationException",
    `${method} ${path} is not known to this local stand-in: it has CreateSchedule, GetSchedule, DeleteSchedule and ListSchedules.`,
  );
}

function queryMembers({ query }: Route, text: string): Members {
  const parameters = new URLSearchParams(text);
  const present = Object.entries(query).filter(([parameter]) => parameters.has(parameter));
  return Object.fromEntries(present.map(([parameter, member]) => [member, parameters.get(parameter)]));
}

function pathMembers(groups: Readonly<Record<string, string>>): Members {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw validationError("The path is not well encoded.");
  }
}
