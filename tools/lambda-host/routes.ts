import type { ServerlessYml } from "../../test/support/bundle.ts";

export interface Route {
  readonly functionName: string;
  /** `GET /orders/{pk}`, or `$default`. */
  readonly routeKey: string;
  readonly pathParameters: Readonly<Record<string, string>>;
}

const DEFAULT_ROUTE = "$default";

/** Finds the route of a request. */
export type Router = (method: string, path: string) => Route | undefined;

/** The routes of an HTTP API as serverless.yml names them; `*` is what no other route takes. */
export function createRouter(functions: ServerlessYml["functions"]): Router {
  const routes = Object.entries(functions).flatMap(([functionName, { events }]) =>
    events.flatMap((event) => ("httpApi" in event ? [routeOf(functionName, event.httpApi)] : [])),
  );
  routes.sort((a, b) => Number(a.routeKey === DEFAULT_ROUTE) - Number(b.routeKey === DEFAULT_ROUTE));
  return (method, path) => {
    for (const { functionName, routeKey, pattern, wanted } of routes) {
      const match = wanted === undefined || wanted === method ? pattern.exec(path) : null;
      if (match) return { functionName, routeKey, pathParameters: decoded(match.groups ?? {}) };
    }
    return undefined;
  };
}

function routeOf(functionName: string, httpApi: string) {
  if (httpApi === "*") return { functionName, routeKey: DEFAULT_ROUTE, wanted: undefined, pattern: /^/ };
  const [wanted = "", template = ""] = httpApi.split(" ");
  const pattern = new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
  return { functionName, routeKey: httpApi, wanted, pattern };
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
}
