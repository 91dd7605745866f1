import * as z from "zod/mini";
import { BaseUrl } from "./inventory.ts";

/** The host names for which the WHATWG URL parser leaves a request on this machine. */
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The address of an Upstash database. Every request carries its token, so it is encrypted wherever it leaves the machine. */
export const UpstashUrl = BaseUrl.check(z.refine(isPrivate, "must be https, except on this machine"));

/** What every function that reads or writes Redis needs: the REST address and token of an Upstash database. */
export const RedisEnv = z.object({
  UPSTASH_REDIS_REST_URL: UpstashUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().check(z.minLength(1)),
});
export type RedisEnv = z.infer<typeof RedisEnv>;

function isPrivate(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || LOOPBACK.test(hostname);
}
