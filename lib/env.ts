import * as z from "zod/mini";

/** Host names of this machine, as the WHATWG URL parser writes them. */
export const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** An address to which a path can be appended. Credentials in it are refused: no request would carry them. */
export const BaseUrl = z
  .string()
  .check(
    z.refine(isBaseUrl, { error: "must be an http or https URL without query, fragment and credentials", abort: true }),
  );

/** The address of an Upstash database. Every request carries a token, so only loopback may be plain http. */
export const UpstashUrl = BaseUrl.check(z.refine(isEncryptedOrLoopback, "must be https, except on this machine"));

/**
 * Reads a part of the environment, at cold start.
 * @throws Error that names every variable that is missing or malformed, with the rule that it breaks, and no value
 */
export function readEnv<Env extends z.ZodMiniType>(schema: Env): z.output<Env> {
  const env = schema.safeParse(process.env);
  if (env.success) return env.data;
  const names = env.error.issues.map(({ path, code, message }) =>
    code === "custom" ? `${path.join(".")} (${message})` : path.join("."),
  );
  throw new Error(`Missing or malformed environment variables: ${names.join(", ")}`);
}

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === "" && !/[?#]/.test(text);
}

function isEncryptedOrLoopback(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || LOOPBACK.test(hostname);
}
