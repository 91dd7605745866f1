import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { parse } from "yaml";
import { leanBuiltins } from "./lean-builtins.js";
import { leanSdk } from "./lean-sdk.js";

/** The best quality takes ten times as long for a tenth less. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
const FINGERPRINT_LENGTH = 16;

/**
 * Makes what is imported `with { type: "asset" }` a module of `{ name, brotli, gzip }`: a name that changes with the
 * content, and the content compressed, in base64, so that the function does nothing but hand it over. A YAML file has a
 * second export, `json`: the same document as JSON.
 */
const assets = {
  name: "assets",
  setup(build) {
    build.onLoad({ filter: /.*/ }, async ({ path, with: attributes }) => {
      if (attributes.type !== "asset") return undefined;
      const content = await readFile(path);
      const json = extname(path) === ".yaml" && asset(path.replace(/yaml$/, "json"), toJson(content));
      return {
        contents: `export default ${asset(path, content)};${json ? `export const json = ${json};` : ""}`,
        watchFiles: [path],
      };
    });
  },
};

/** @returns the source text of an object */
function asset(path, content) {
  const fingerprint = createHash("sha256").update(content).digest("hex").slice(0, FINGERPRINT_LENGTH);
  const extension = extname(path);
  return JSON.stringify({
    name: `${basename(path, extension)}.${fingerprint}${extension}`,
    brotli: brotliCompressSync(content, BROTLI).toString("base64"),
    gzip: gzipSync(content, { level: constants.Z_BEST_COMPRESSION }).toString("base64"),
  });
}

const toJson = (yaml) => Buffer.from(JSON.stringify(parse(yaml.toString())));

/** What serverless-esbuild adds to every build. */
export default [assets, leanBuiltins, leanSdk];
