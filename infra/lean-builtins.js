/** The ES import of one of these evaluates all its exports: getters that load `fetch`, WebSocket and Web Crypto. */
const HEAVY = /^(node:)?(http|https|crypto)$/;

/** Takes `subtle` from `node:crypto`, for a method of `@upstash/redis` that nothing here calls. */
const UNUSED = /^uncrypto$/;

/**
 * Has a bundle load such a module of Node.js when it first uses one of its exports, and nothing else with it. An
 * instance without `fetch` starts 30 ms earlier and needs 16 MB less (docs/decisions.md, "Speed").
 */
export const leanBuiltins = {
  name: "lean-builtins",
  setup(build) {
    build.onResolve({ filter: HEAVY }, ({ path }) => ({
      path: `node:${path.replace("node:", "")}`,
      namespace: "builtin",
    }));
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({ contents: lazyModule(path) }));
    build.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "export const subtle = undefined;" }));
  },
};

/** @returns the source of a CommonJS module with the exports of a module of Node.js */
function lazyModule(name) {
  const exportNames = Object.keys(process.getBuiltinModule(name)).join();
  return `for (const name of "${exportNames}".split(",")) {
    const get = () => process.getBuiltinModule("${name}")[name];
    Object.defineProperty(exports, name, { enumerable: true, get });
  }`;
}
