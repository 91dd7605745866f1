import { gunzipSync } from "node:zlib";
import type { ApiEvent, ApiReply } from "../http/api.ts";
import type { Asset, BuiltAsset } from "./assets.ts";

/** The encodings that the build creates of a file, the smallest first. */
const CODINGS = ["br", "gzip"] as const;

const CONTENT_OF = { br: "brotli", gzip: "gzip" } as const satisfies Record<Coding, keyof BuiltAsset>;

type Coding = (typeof CODINGS)[number];

const IMMUTABLE = "public, max-age=31536000, immutable";

/** A cached page could name files that the current version does not have. */
const REVALIDATE = "no-cache";

/** The docs page may load files of this API only. Swagger UI sets styles inline and shows icons as data URIs. */
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

/**
 * The reply with a page or a file.
 * @param acceptEncoding the client's header
 */
export function assetReply(
  { contentType, content, fingerprinted }: Asset,
  acceptEncoding: string | undefined,
): ApiReply {
  return {
    statusCode: 200,
    headers: {
      "content-type": contentType,
      "cache-control": fingerprinted ? IMMUTABLE : REVALIDATE,
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      ...(typeof content !== "string" && encodingHeaders(acceptEncoding)),
    },
    ...(typeof content === "string" ? { body: content } : body(content, acceptedCoding(acceptEncoding))),
  };
}

/**
 * Redirects to the docs page, relative to the requested address. The event's path has the name of a stage, with or without a
 * trailing slash, but not that of an API mapping (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html):
 * below a mapping `/v1`, the redirect works for `/v1/` but not for `/v1`.
 */
export function docsRedirect({ rawPath }: ApiEvent): ApiReply {
  const last = rawPath.slice(rawPath.lastIndexOf("/") + 1);
  const location = last === "" ? "./docs" : `./${encodeURIComponent(last)}/docs`;
  return { statusCode: 302, headers: { location, "cache-control": REVALIDATE } };
}

function encodingHeaders(acceptEncoding: string | undefined): Record<string, string> {
  const coding = acceptedCoding(acceptEncoding);
  return { vary: "accept-encoding", ...(coding && { "content-encoding": coding }) };
}

/** Clients that accept no encoding are rare, so only for them the function decompresses. */
function body(content: BuiltAsset, coding: Coding | undefined): ApiReply {
  if (coding) return { body: content[CONTENT_OF[coding]], isBase64Encoded: true };
  return { body: gunzipSync(Buffer.from(content.gzip, "base64")).toString() };
}

/**
 * The best encoding that a client accepts (RFC 9110 section 12.5.3), or undefined for uncompressed content. A weight of 0
 * excludes an encoding; other weights do not matter, because the server may choose.
 */
function acceptedCoding(header: string | undefined): Coding | undefined {
  const accepted = new Set((header ?? "").split(",").flatMap(acceptedName));
  return CODINGS.find((coding) => accepted.has(coding));
}

function acceptedName(member: string): string[] {
  const [name = "", ...parameters] = member.split(";").map((part) => part.trim().toLowerCase());
  return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
}
