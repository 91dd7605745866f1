import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { z } from "zod";
import type { DeadLetters } from "./delivery.ts";
import { SchedulerError, validationError } from "./errors.ts";
import type { Members, OperationName, Operations } from "./schedules.ts";

/** An Input of 256 KB with every character escaped, and room for the rest. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

const DEAD_LETTERS_PATH = "/_local/dead-letters";

/** AWS Signature Version 4: the credential is key, date, Region, service and `aws4_request`. */
const SIGNATURE = /^AWS4-HMAC-SHA256 .*Credential=[^/]+\/\d+\/([^/]+)\//;

const BODY_METHODS = new Set(["POST", "PUT"]);

const bodySchema = z.record(z.string(), z.unknown());

const SCHEDULE = /^\/schedules\/(?<Name>[^/]+)$/;

const TAGS = /^\/tags\/(?<ResourceArn>[^/]+)$/;

const GROUP = /^\/schedule-groups\/(?<Name>[^/]+)$/;

const SCHEDULE_QUERY = { groupName: "GroupName", clientToken: "ClientToken" };

const PAGE_QUERY = { NamePrefix: "NamePrefix", MaxResults: "MaxResults", NextToken: "NextToken" };

/** Members that a query may have several times. */
const LISTS = new Set(["TagKeys"]);

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** `none` is an address that a person typed or opened. `same-site` can be another port of this machine, which is another origin. */
const OWN_SITES = ["none", "same-origin"];

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly operation: OperationName;
  /** Query parameters and the members that they carry, where the names differ. */
  readonly query?: Readonly<Record<string, string>>;
}

/** https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html */
const ROUTES: readonly Route[] = [
  { method: "POST", path: SCHEDULE, operation: "CreateSchedule" },
  { method: "GET", path: SCHEDULE, operation: "GetSchedule", query: SCHEDULE_QUERY },
  { method: "PUT", path: SCHEDULE, operation: "UpdateSchedule" },
  { method: "DELETE", path: SCHEDULE, operation: "DeleteSchedule", query: SCHEDULE_QUERY },
  {
    method: "GET",
    path: /^\/schedules\/?$/,
    operation: "ListSchedules",
    query: { ...PAGE_QUERY, ScheduleGroup: "GroupName", State: "State" },
  },
  { method: "POST", path: GROUP, operation: "CreateScheduleGroup" },
  { method: "GET", path: GROUP, operation: "GetScheduleGroup" },
  { method: "DELETE", path: GROUP, operation: "DeleteScheduleGroup", query: SCHEDULE_QUERY },
  { method: "POST", path: TAGS, operation: "TagResource" },
  { method: "DELETE", path: TAGS, operation: "UntagResource", query: { TagKeys: "TagKeys" } },
  { method: "GET", path: TAGS, operation: "ListTagsForResource" },
  { method: "GET", path: /^\/schedule-groups\/?$/, operation: "ListScheduleGroups", query: PAGE_QUERY },
];

interface HandlerOptions {
  readonly operations: Operations;
  readonly deadLetters: DeadLetters;
  /** Throws the fault of a request, if it has one. */
  readonly throwFault: (creates: boolean) => void;
  readonly log: (line: string) => void;
}

interface RoutedRequest {
  readonly operation: OperationName;
  /** Those of path and query. */
  readonly members: Members;
}

/** The REST-JSON protocol. https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html */
export function createHandler({ operations, deadLetters, throwFault, log }: HandlerOptions): RequestListener {
  async function answer(request: IncomingMessage): Promise<object> {
    const { method = "", url = "", headers } = request;
    const foreign = denialReason(headers);
    if (foreign !== undefined) throw new SchedulerError(403, "AccessDeniedException", foreign);
    if (method === "GET" && url === DEAD_LETTERS_PATH) return deadLetters.list();
    const region = regionOf(request);
    const { operation, members } = route(method, url);
    throwFault(operation.startsWith("Create"));
    const body = BODY_METHODS.has(method) ? await readBody(request) : {};
    return operations[operation]({ ...body, ...members }, region);
  }

  return (request, response) => {
    answer(request).then(
      (body) => reply(response, 200, body),
      (error: unknown) => {
        const known = error instanceof SchedulerError ? error : internalError(error);
        if (known !== error) log(`scheduler: internal error: ${error instanceof Error ? error.stack : String(error)}`);
        response.setHeader("x-amzn-errortype", known.type);
        reply(response, known.status, { Message: known.message });
      },
    );
  };
}

/**
 * The Region of the request's AWS signature, which is not checked further.
 * @throws SchedulerError for a request without a signature, as AWS does
 */
function regionOf({ headers: { authorization = "" } }: IncomingMessage): string {
  const region = SIGNATURE.exec(authorization)?.[1];
  if (region !== undefined) return region;
  throw new SchedulerError(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
}

async function readBody(request: IncomingMessage): Promise<Members> {
  const text = await readText(request);
  try {
    return bodySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SchedulerError(400, "SerializationException", "The body is not a JSON object.", { cause });
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new SchedulerError(400, "SerializationException", "The body broke off.", { cause });
  }
  if (size > MAX_BODY_BYTES) {
    throw new SchedulerError(413, "RequestEntityTooLargeException", "Request is too large.");
  }
  return Buffer.concat(chunks).toString();
}

function internalError(cause: unknown): SchedulerError {
  const message = "Unexpected error encountered while processing the request.";
  return new SchedulerError(500, "InternalServerException", message, { cause });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json", "x-amzn-RequestId": randomUUID() });
  response.end(JSON.stringify(body));
}

/**
 * Which operation a request asks for. `target` is the raw one of the request line: a URL parser would resolve `.` and
 * `..`, both of which are names a schedule may have.
 *
 * @throws SchedulerError an UnknownOperationException when there is none, a ValidationException when the path is not
 *   well encoded.
 */
function route(method: string, target: string): RoutedRequest {
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
    `${method} ${path} is not an operation of this local Scheduler. It has ${ROUTES.map(({ operation }) => operation).join(", ")}.`,
  );
}

function queryMembers({ query = {} }: Route, text: string): Members {
  const parameters = new URLSearchParams(text);
  const present = Object.entries(query).filter(([parameter]) => parameters.has(parameter));
  return Object.fromEntries(
    present.map(([parameter, member]) => [
      member,
      LISTS.has(member) ? parameters.getAll(parameter) : parameters.get(parameter),
    ]),
  );
}

function pathMembers(groups: Readonly<Record<string, string>>): Members {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw validationError("The path is not well encoded.");
  }
}

/**
 * Returns the reason to refuse a request, or undefined. It refuses a `Host` that is not loopback (a page whose host name
 * resolves to 127.0.0.1, called DNS rebinding, could read the replies) and every request that a browser sends for a page of
 * another origin. A browser requests images and scripts without `Origin`, so `Sec-Fetch-Site` counts too
 * (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site). Other clients send neither.
 */
function denialReason(headers: IncomingHttpHeaders): string | undefined {
  const { host = "", origin = `http://${host}`, "sec-fetch-site": site = "none" } = headers;
  if (!LOOPBACK_HOST.test(host)) return "The Host header is not loopback. Use localhost, 127.0.0.1 or [::1]";
  const isOwn = origin === `http://${host}` && OWN_SITES.includes(String(site));
  return isOwn ? undefined : "Web pages of another origin cannot use this port";
}
