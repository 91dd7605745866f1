import { HttpError } from "./http-error.ts";

/** The methods that each path of the API knows; a test holds this against `serverless.yml`. */
export const ROUTES: Readonly<Record<string, string>> = {
  "/orders": "POST",
  "/orders/{pk}": "GET",
  "/": "GET",
  "/docs": "GET",
  "/docs/{asset}": "GET",
  "/openapi.yaml": "GET",
  "/openapi.json": "GET",
};

/**
 * The methods of a path, for an Allow header (RFC 9110 section 10.2.1).
 * @throws HttpError `route_not_found`
 */
export function allowedMethods(path: string): string {
  const known = Object.entries(ROUTES).find(([template]) => matches(template, path));
  if (!known) throw new HttpError("route_not_found");
  return `${known[1]}, OPTIONS`;
}

function matches(template: string, path: string): boolean {
  const names = template.split("/");
  const segments = path.split("/");
  return (
    names.length === segments.length &&
    names.every((name, index) => (name.startsWith("{") ? segments[index] !== "" : name === segments[index]))
  );
}
