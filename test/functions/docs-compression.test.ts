import { readFile } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { useDocsFunction } from "../support/docs-function.ts";

/** Lambda's limit for a reply, in bytes (Lambda developer guide, "Lambda quotas"). */
const MAX_REPLY_BYTES = 6 * 1024 * 1024;

const { get, namedByPage } = useDocsFunction();

const UNPACK: Record<string, (packed: Buffer) => Buffer> = { br: brotliDecompressSync, gzip: gunzipSync };

test.for<[string, string | undefined]>([
  ["gzip, deflate, br, zstd", "br"],
  ["br;q=0.5, gzip", "br"],
  ["GZip", "gzip"],
  ["gzip, br;q=0", "gzip"],
  ["br; q=0.000,deflate", undefined],
  ["identity", undefined],
  ["", undefined],
])("a client that accepts %o gets %s", async ([accepted, coding]) => {
  const { headers, body, isBase64Encoded } = await get("/openapi.yaml", { "accept-encoding": accepted });

  expect(headers["content-encoding"]).toBe(coding);
  expect(headers).toMatchObject({ vary: "accept-encoding" });
  expect(isBase64Encoded).toBe(coding !== undefined);
  const content = coding ? UNPACK[coding]?.(Buffer.from(body, "base64")) : Buffer.from(body);
  expect(content).toEqual(await readFile(new URL("../../openapi.yaml", import.meta.url)));
});

test("every reply is well below what Lambda may reply, and to a browser a tenth of it", async () => {
  for (const path of [...(await namedByPage()), "/openapi.json"]) {
    expect((await get(path)).body.length).toBeLessThan(MAX_REPLY_BYTES / 3);
    for (const coding of ["br", "gzip"]) {
      expect((await get(path, { "accept-encoding": coding })).body.length).toBeLessThan(MAX_REPLY_BYTES / 9);
    }
  }
});
