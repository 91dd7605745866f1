import type { ApiReply } from "./api.ts";

/** A JSON reply. Orders change by themselves, so no cache may keep them. */
export function jsonReply(body: unknown, headers: Record<string, string> = {}): ApiReply {
  return {
    statusCode: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    },
    body: JSON.stringify(body),
  };
}
