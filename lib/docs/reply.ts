import { gunzipSync } from "node:zlib";
import type { ApiEvent, ApiReply } from "../http/api.ts";
import type { Asset, BuiltAsset } from "./assets.ts";

/** The codings that the build makes of a file, the smallest first. */
const CODINGS = ["br", "gzip"] as const;

const CONTENT_OF = { br: "brotli", gzip: "gzip" } as const satisfies Record<Coding, keyof BuiltAsset>;

type Coding = (typeof CODINGS)[number];

const IMMUTABLE = "public, max-age=31536000, immutable";

/** A page that names files of an earlier version would find them gone. */
const REVALIDATE = "no-cache";

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

/**
 * A page or a file that pages load.
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
 * Leads to the docs page, relative to wherever this is. The event's path has the name of a stage, with or without a slash
 * at its end, but not that of an API mapping (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html):
 * below a mapping `/v1`, `/v1/` and `/v1/docs` lead there, and `/v1` alone cannot.
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

/** Clients that take no coding are rare: for them alone something is unpacked. */
function body(content: BuiltAsset, coding: Coding | undefined): ApiReply {
  if (coding) return { body: content[CONTENT_OF[coding]], isBase64Encoded: true };
  return { body: gunzipSync(Buffer.from(content.gzip, "base64")).toString() };
}

/**
 * The best coding that a client takes (RFC 9110 section 12.5.3); undefined is the content as it is, which every client
 * takes. A weight only tells whether it takes a coding at all: which one is sent is for the server to choose.
 */
function acceptedCoding(header: string | undefined): Coding | undefined {
  const accepted = new Set((header ?? "").split(",").flatMap(acceptedName));
  return CODINGS.find((coding) => accepted.has(coding));
}

function acceptedName(member: string): string[] {
  const [name = "", ...parameters] = member.split(";").map((part) => part.trim().toLowerCase());
  return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
}
