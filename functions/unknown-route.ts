import { type ApiEvent, api } from "../lib/http/api.ts";
import { refuseUnknownRoute } from "../lib/http/routes.ts";

async function unknownRoute(event: ApiEvent) {
  return refuseUnknownRoute(event.rawPath);
}

export const handler = api(unknownRoute);
