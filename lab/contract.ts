import { fileURLToPath } from "node:url";
import { dereference } from "@apidevtools/json-schema-ref-parser";
import { Ajv2020 } from "ajv/dist/2020.js";
import { fullFormats } from "ajv-formats/dist/formats.js";

/** The methods of a path; `parameters` and the like may stand beside them. */
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Of the connection, of HTTP itself, or of the server that stands before the functions on one machine. */
const NOT_OF_THE_API =
  /^(accept-ranges|access-control-.*|connection|content-length|date|keep-alive|transfer-encoding|vary|x-content-type-options)$/;

interface SeenReply {
  readonly statusCode: number;
  /** With lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body, where there is one. */
  readonly body?: unknown;
}

/** The names of an object's members. */
export const namesOf = (value: unknown): string[] =>
  typeof value === "object" && value !== null ? Object.keys(value) : [];

// Not strict: the documents have keywords of their own around the schemas.
const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true, formats: fullFormats });

export const openapi = await schemaDocument("openapi.yaml");

export const asyncapi = await schemaDocument("asyncapi.yaml");

const paths = openapi.at("paths");

/** Each operation's route: `POST /orders`. */
export const OPERATIONS: readonly string[] = namesOf(paths).flatMap((path) =>
  namesOf(childOf(paths, path))
    .filter((name) => METHODS.includes(name))
    .map((method) => `${method.toUpperCase()} ${path}`),
);

/** The route that takes a request. `HEAD` has one wherever `GET` has. */
export function routeOf(method: string, path: string): string {
  const request = `${method === "HEAD" ? "GET" : method} ${path}`;
  const matches = (template: string) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(request);
  return OPERATIONS.find(matches)?.replace(/^GET/, method) ?? "$default";
}

const documented = (route: string) => route.replace(/^HEAD/, "GET");

/**
 * @param route as API Gateway names it: `POST /orders`, or `$default`
 * @throws Error when openapi.yaml does not promise such a reply: its status, its headers or its body
 */
export function expectDocumented(route: string, reply: SeenReply): void {
  const faults = faultsOf(route, reply);
  if (faults.length === 0) return;
  const seen = JSON.stringify(reply).slice(0, 1_000);
  throw new Error([`openapi.yaml does not have this reply to ${route}:`, ...faults, seen].join("\n"));
}

/** Whatever in a reply openapi.yaml does not promise; see `expectDocumented`. */
export function faultsOf(route: string, reply: SeenReply): string[] {
  return OPERATIONS.includes(documented(route)) ? faultsOfOperation(route, reply) : faultsOfNoOperation(reply);
}

function faultsOfOperation(route: string, { statusCode, headers, body }: SeenReply): string[] {
  const [method = "", path = ""] = documented(route).split(" ");
  const response = openapi.at("paths", path, method.toLowerCase(), "responses", String(statusCode));
  if (response === undefined) return [`status ${statusCode}`];
  const mediaType = (headers["content-type"] ?? "").replace(/;.*/, "");
  const content = childOf(childOf(response, "content"), mediaType);
  return [...headerFaults(childOf(response, "headers"), headers), ...bodyFaults(route, mediaType, content, body)];
}

function headerFaults(promised: unknown, headers: Readonly<Record<string, string>>): string[] {
  const known = new Map(namesOf(promised).map((name) => [name.toLowerCase(), childOf(promised, name)]));
  const missing = [...known].flatMap(([name, header]) =>
    childOf(header, "required") === true && !(name in headers) ? [`no ${name}`] : [],
  );
  const wrong = Object.entries(headers).flatMap(([name, value]) => {
    if (name === "content-type" || NOT_OF_THE_API.test(name)) return [];
    if (!known.has(name)) return [`header ${name}`];
    return faultOf(value, childOf(known.get(name), "schema")) ?? [];
  });
  return [...missing, ...wrong];
}

/** To `HEAD` the headers are those of `GET`, and there is no body. */
function bodyFaults(route: string, mediaType: string, content: unknown, body: unknown): string[] {
  if (content === undefined) return [`content type ${mediaType}`];
  if (route.startsWith("HEAD ")) return body === undefined ? [] : ["a body"];
  return [faultOf(body, childOf(content, "schema")) ?? []].flat();
}

/** What the description says of all other paths and methods. */
function faultsOfNoOperation({ statusCode: status, headers, body }: SeenReply): string[] {
  if (status === 204) return [];
  const codes = new Map([
    [404, "route_not_found"],
    [405, "method_not_allowed"],
  ]);
  if (!codes.has(status)) return [`status ${status}`];
  if (status === 405 && headers.allow === undefined) return ["no Allow"];
  // To HEAD.
  if (body === undefined) return [];
  if (childOf(body, "code") !== codes.get(status)) return [`status ${status}`];
  return [openapi.fault(body, "components", "schemas", "Problem") ?? []].flat();
}

/** A document of the project, with the schemas in it. */
interface SchemaDocument {
  /** What is at a path, with every reference in it followed. */
  at(...path: readonly string[]): unknown;
  /** Why a value does not fit the schema at a path; undefined when it does. */
  fault(value: unknown, ...path: readonly string[]): string | undefined;
}

/** Reads a YAML document whose schemas are JSON Schema of 2020-12, as those of OpenAPI 3.1 are. */
async function schemaDocument(file: string): Promise<SchemaDocument> {
  const content: unknown = await dereference(fileURLToPath(new URL(`../${file}`, import.meta.url)));
  const at = (...path: readonly string[]): unknown => path.reduce(childOf, content);
  return { at, fault: (value, ...path) => faultOf(value, at(...path)) };
}

function faultOf(value: unknown, schema: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) throw new TypeError("There is no such schema");
  return ajv.validate(schema, value) ? undefined : ajv.errorsText();
}

/** A member of an object; undefined where there is none. */
export function childOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** `fetch` from the running service, of which every reply must be one that openapi.yaml promises. */
export async function fetchDocumented(url: string, init: RequestInit = {}): Promise<Response> {
  const reply = await fetch(url, init);
  const text = await reply.clone().text();
  expectDocumented(routeOf(init.method ?? "GET", new URL(url).pathname), {
    statusCode: reply.status,
    headers: Object.fromEntries([...reply.headers].filter((header) => !isOfOffline(header))),
    body: text === "" ? undefined : JSON.parse(text),
  });
  return reply;
}

/** hapi, under serverless-offline, adds this one where a reply says nothing of caches. */
function isOfOffline([name, value]: [string, string]): boolean {
  return name === "cache-control" && value === "no-cache";
}
