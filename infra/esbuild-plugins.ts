import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "esbuild";
import { parse } from "yaml";

/** The best quality takes ten times as long for a tenth less. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
const FINGERPRINT_LENGTH = 16;

/** The ES import of one of these evaluates all its exports: getters that load `fetch`, WebSocket and Web Crypto. */
const SLOW_BUILTINS = /^(node:)?(http|https|crypto)$/;

/** `@upstash/redis` needs it for a method that this service does not call. */
const UNUSED = /^uncrypto$/;

/**
 * The parts of the AWS SDK for credentials outside the environment (files, SSO, web identity, instance metadata) and for event
 * streams. Lambda puts a function's credentials into its environment, and CreateSchedule has no streams.
 */
const UNUSED_SDK =
  /^(@aws-sdk\/credential-provider-(http|ini|login|process|sso|web-identity)|@smithy\/credential-provider-imds|@smithy\/core\/event-streams)$/;

/**
 * Turns a file that is imported `with { type: "asset" }` into a module of `{ name, brotli, gzip }`: a name that changes with the
 * content, and the compressed content in base64. A YAML file has a second export, `json`: the same document as JSON.
 */
const assets: Plugin = {
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

/**
 * Loads a slow module of Node.js when the bundle first uses one of its exports, and nothing else with it. An instance without
 * `fetch` starts 30 ms earlier and needs 16 MB less (docs/decisions.md, "Speed").
 */
const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup(build) {
    build.onResolve({ filter: SLOW_BUILTINS }, ({ path }) => ({
      path: `node:${path.replace("node:", "")}`,
      namespace: "builtin",
    }));
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({ contents: lazyModule(path) }));
    build.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "export const subtle = undefined;" }));
  },
};

/** Omits the unused parts of the AWS SDK: a quarter of `createOrder`, read and parsed at each cold start. */
const omitUnusedSdk: Plugin = {
  name: "omit-unused-sdk",
  setup(build) {
    build.onResolve({ filter: UNUSED_SDK }, ({ path, kind }) =>
      kind === "dynamic-import" ? { path, namespace: "left-out" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in this bundle: credentials come from the environment`)});`,
    }));
  },
};

/** The plugins that serverless-esbuild adds to every build. */
export default [assets, lazyBuiltins, omitUnusedSdk];

/** @returns the source text of an object */
function asset(path: string, content: Buffer): string {
  const fingerprint = createHash("sha256").update(content).digest("hex").slice(0, FINGERPRINT_LENGTH);
  const extension = extname(path);
  return JSON.stringify({
    name: `${basename(path, extension)}.${fingerprint}${extension}`,
    brotli: brotliCompressSync(content, BROTLI).toString("base64"),
    gzip: gzipSync(content, { level: constants.Z_BEST_COMPRESSION }).toString("base64"),
  });
}

function toJson(yaml: Buffer): Buffer {
  return Buffer.from(JSON.stringify(parse(yaml.toString())));
}

/** @returns the source of a CommonJS module with the exports of a module of Node.js */
function lazyModule(name: string): string {
  const exportNames = Object.keys(process.getBuiltinModule(name) ?? {}).join();
  return `for (const name of "${exportNames}".split(",")) {
    const get = () => process.getBuiltinModule("${name}")[name];
    Object.defineProperty(exports, name, { enumerable: true, get });
  }`;
}
