import { ASSETS } from "../lib/docs/assets.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { HttpError } from "../lib/http/http-error.ts";
import { textReply } from "../lib/http/reply.ts";

async function docs(event: ApiEvent) {
  const asset = ASSETS[event.routeKey.replace("GET ", "").replace("{asset}", event.pathParameters?.asset ?? "")];
  if (!asset) throw new HttpError("route_not_found");
  return textReply(asset.text, asset.contentType);
}

export const handler = api(docs);
