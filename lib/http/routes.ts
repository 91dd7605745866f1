import { HttpError } from "./http-error.ts";

/** The methods that each path of the API knows; a test holds this against `serverless.yml`. */
export const ROUTES: Readonly<Record<string, string>> = {
  "/orders": "POST",
  "/orders/{pk}": "GET",
  "/docs": "GET",
  "/docs/{asset}": "GET",
  "/openapi.yaml": "GET",
};

/**
 * Refuses a request that no route took: API Gateway sends those to `$default`, those with a wrong method too.
 * @throws HttpError `method_not_allowed` with the methods that the path knows (RFC 9110 section 15.5.6), `route_not_found`
 */
export function refuseUnknownRoute(path: string): never {
  const known = Object.entries(ROUTES).find(([template]) => matches(template, path));
  if (known) throw new HttpError("method_not_allowed", { headers: { allow: known[1] } });
  throw new HttpError("route_not_found");
}

function matches(template: string, path: string): boolean {
  const names = template.split("/");
  const segments = path.split("/");
  return (
    names.length === segments.length &&
    names.every((name, index) => (name.startsWith("{") ? segments[index] !== "" : name === segments[index]))
  );
}
