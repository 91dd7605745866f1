import { ASSETS } from "../lib/docs/assets.ts";
import { assetReply, docsRedirect } from "../lib/docs/reply.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { HttpError } from "../lib/http/problem.ts";

async function docs(event: ApiEvent) {
  const template = event.routeKey.replace(/^\w+ /, "");
  if (template === "/") return docsRedirect(event);
  const path = template.replace("{asset}", event.pathParameters?.asset ?? "");
  const asset = ASSETS.get(path);
  if (!asset) throw new HttpError("route_not_found");
  return assetReply(asset, event.headers["accept-encoding"]);
}

export const handler = api(docs);
