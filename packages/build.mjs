// Builds each package for npm: `node packages/build.mjs [package…]`, then `npm pack ./packages/<package>/dist`.
// In this repository the packages run from their TypeScript sources, which are private, so that nothing is published by mistake.
// `dist` holds JavaScript, types and a manifest for them.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = import.meta.dirname;
const TSC = join(PACKAGES, "..", "node_modules", ".bin", "tsc");

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : readdirSync(PACKAGES)) {
  if (existsSync(join(PACKAGES, name, "package.json"))) build(name);
}

/** @param {string} name */
function build(name) {
  const folder = join(PACKAGES, name);
  const dist = join(folder, "dist");
  rmSync(dist, { recursive: true, force: true });
  execFileSync(TSC, ["--project", join(folder, "tsconfig.json")], { stdio: "inherit" });
  for (const file of ["README.md", "CHANGELOG.md"]) cpSync(join(folder, file), join(dist, file));
  cpSync(join(PACKAGES, "..", "LICENSE"), join(dist, "LICENSE"));
  const {
    private: _,
    devDependencies: __,
    scripts: ___,
    exports: entries,
    ...manifest
  } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const types = "./index.d.ts";
  const built = {
    ...manifest,
    ...addressesOf(name),
    types,
    exports: { ...entries, ".": { types, default: entries["."] } },
  };
  const text = JSON.stringify(built, null, 2).replaceAll(/"\.\/src\/([^"]+)\.ts"/g, (_match, file) => `"./${file}.js"`);
  writeFileSync(join(dist, "package.json"), `${text}\n`);
}

/**
 * The addresses of the repository whose workflow publishes. npm's provenance requires them, and refuses others.
 * https://docs.npmjs.com/generating-provenance-statements
 *
 * @param {string} name
 */
function addressesOf(name) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: path } = process.env;
  if (!server || !path) return {};
  const directory = `packages/${name}`;
  return {
    repository: { type: "git", url: `git+${server}/${path}.git`, directory },
    homepage: `${server}/${path}/tree/main/${directory}#readme`,
    bugs: `${server}/${path}/issues`,
  };
}
