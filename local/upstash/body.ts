import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** The largest request of a pay-as-you-go database: https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded */
export const MAX_REQUEST_BYTES = 10 * 1024 * 1024;

const SIZE_PAGE = "https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded";

/**
 * Reads the body of `request`, at most `MAX_REQUEST_BYTES`. A larger body throws a 413 Refusal, but only once it has
 * been read to its end and thrown away: a client that is still sending when the answer comes sees a broken pipe instead.
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= MAX_REQUEST_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size <= MAX_REQUEST_BYTES) return Buffer.concat(chunks, size);
  const sizes = `Limit: ${MAX_REQUEST_BYTES} bytes, Actual: ${size} bytes`;
  throw new Refusal(413, `ERR max request size exceeded. ${sizes}. See ${SIZE_PAGE} for details`);
}
