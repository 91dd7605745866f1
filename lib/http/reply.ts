import type { ApiReply } from "./api.ts";

/** A JSON reply. Orders change by themselves, so no cache may keep them. */
export function jsonReply(body: unknown, headers: Record<string, string> = {}): ApiReply {
  return {
    statusCode: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
    body: JSON.stringify(body),
  };
}

/** What a docs page may load: itself only. Swagger UI sets styles inline and shows icons as data URIs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A page or a file that pages load. */
export function textReply(text: string, contentType: string): ApiReply {
  return {
    statusCode: 200,
    headers: {
      "content-type": contentType,
      "cache-control": "public, max-age=300",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
    },
    body: text,
  };
}
