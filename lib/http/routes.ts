import { HttpError } from "./problem.ts";

const READ = ["GET", "HEAD"];

/** The methods that each path of the API supports; a test compares this with `serverless.yml`. */
export const ROUTES: Readonly<Record<string, readonly string[]>> = {
  "/orders": ["POST"],
  "/orders/{pk}": READ,
  "/": READ,
  "/docs": READ,
  "/docs/{asset}": READ,
  "/openapi.yaml": READ,
  "/openapi.json": READ,
  "/asyncapi.yaml": READ,
};

/**
 * The methods of a path, for an Allow header (RFC 9110 section 10.2.1).
 * @throws HttpError `route_not_found`
 */
export function allowedMethods(path: string): string {
  const known = Object.entries(ROUTES).find(([template]) => matches(template, path));
  if (!known) throw new HttpError("route_not_found");
  return [...known[1], "OPTIONS"].join(", ");
}

function matches(template: string, path: string): boolean {
  const names = template.split("/");
  const segments = path.split("/");
  return (
    names.length === segments.length &&
    names.every((name, index) => (name.startsWith("{") ? segments[index] !== "" : name === segments[index]))
  );
}
