import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

const SIZE_PAGE = "https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded";

/**
 * Reads the body of `request`, at most `limitBytes`. A larger body throws a 413 Refusal, but only once it has
 * been read to its end and thrown away: a client that is still sending when the answer comes sees a broken pipe instead.
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= limitBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size <= limitBytes) return Buffer.concat(chunks, size);
  const sizes = `Limit: ${limitBytes} bytes, Actual: ${size} bytes`;
  throw new Refusal(413, `ERR max request size exceeded. ${sizes}. See ${SIZE_PAGE} for details`);
}
