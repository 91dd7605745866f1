import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { fullFormats } from "ajv-formats/dist/formats.js";
import { expect } from "vitest";
import { parse } from "yaml";

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

const escaped = (name: string): string => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));

const unescaped = (name: string): string => name.replaceAll("~1", "/").replaceAll("~0", "~");

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

/** Where a response is in the document, all references followed. */
export function responsePath(route: string, status: number): string[] {
  const [method = "", path = ""] = route.split(" ");
  const own = ["paths", path, method.toLowerCase(), "responses", String(status)];
  const reference = childOf(childOf(childOf(openapi.at(...own.slice(0, 3)), "responses"), String(status)), "$ref");
  return typeof reference === "string" ? reference.slice(2).split("/") : own;
}

function faultsOfOperation(route: string, { statusCode, headers, body }: SeenReply): string[] {
  const path = responsePath(documented(route), statusCode);
  const response = openapi.at(...path);
  if (response === undefined) return [`status ${statusCode}`];
  const contentPath = [...path, "content", (headers["content-type"] ?? "").replace(/;.*/, "")];
  return [
    ...headerFaults(path, childOf(response, "headers"), headers),
    ...(route.startsWith("HEAD ") ? headFaults(contentPath, body) : bodyFaults(contentPath, body)),
  ];
}

function headerFaults(path: readonly string[], known: unknown, headers: Readonly<Record<string, string>>): string[] {
  const documented = new Map(namesOf(known).map((name) => [name.toLowerCase(), name]));
  const missing = [...documented].flatMap(([lower, name]) =>
    childOf(openapi.at(...path, "headers", name), "required") === true && !(lower in headers) ? [`no ${name}`] : [],
  );
  const wrong = Object.entries(headers).flatMap(([lower, value]) => {
    if (lower === "content-type" || NOT_OF_THE_API.test(lower)) return [];
    const name = documented.get(lower);
    if (name === undefined) return [`header ${lower}`];
    const reference = childOf(childOf(known, name), "$ref");
    const header = typeof reference === "string" ? reference.slice(2).split("/") : [...path, "headers", name];
    return openapi.fault(value, ...header, "schema") ?? [];
  });
  return [...missing, ...wrong];
}

function bodyFaults(contentPath: readonly string[], body: unknown): string[] {
  if (openapi.at(...contentPath) === undefined) return [`content type ${contentPath.at(-1)}`];
  return [openapi.fault(body, ...contentPath, "schema") ?? []].flat();
}

/** The headers are those of `GET`, and there is no body. */
function headFaults(contentPath: readonly string[], body: unknown): string[] {
  if (openapi.at(...contentPath) === undefined) return [`content type ${contentPath.at(-1)}`];
  return body === undefined ? [] : ["a body"];
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
  readonly content: unknown;
  /** What is at a JSON pointer, with the reference that it may be followed. */
  at(...path: readonly string[]): unknown;
  /** Why a value does not fit the schema at a JSON pointer; undefined when it does. */
  fault(value: unknown, ...path: readonly string[]): string | undefined;
}

/** Reads a YAML document whose schemas are JSON Schema of 2020-12, as those of OpenAPI 3.1 are. */
export async function schemaDocument(file: string): Promise<SchemaDocument> {
  const content: unknown = parse(await readFile(new URL(`../../${file}`, import.meta.url), "utf8"));
  // Not strict: the document has keywords of its own around the schemas.
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true, formats: fullFormats });
  ajv.addSchema(content ?? {}, file);

  function at(...path: readonly string[]): unknown {
    return path.reduce<unknown>((value, name) => followed(childOf(value, name)), content);
  }

  function followed(value: unknown): unknown {
    const reference = childOf(value, "$ref");
    return typeof reference === "string" ? at(...reference.slice(2).split("/").map(unescaped)) : value;
  }

  function fault(value: unknown, ...path: readonly string[]): string | undefined {
    const pointer = `${file}#/${path.map(escaped).join("/")}`;
    const validate = ajv.getSchema(pointer);
    if (!validate) throw new Error(`There is no schema at ${pointer}`);
    return validate(value) ? undefined : `${pointer}: ${ajv.errorsText(validate.errors)}`;
  }

  return { content, at, fault };
}

/** A member of an object; undefined where there is none. */
export function childOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** Expects of a stream's entry what asyncapi.yaml has of such a message, and nothing else in it where that is told. */
export function expectDocumentedEntry(message: string, entry: unknown): void {
  expect(asyncapi.fault(entry, "components", "schemas", message)).toBeUndefined();
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
