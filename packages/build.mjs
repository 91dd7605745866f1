// Builds each package for npm: `node packages/build.mjs [package…]`, then `npm pack ./packages/<package>/dist`.
// In this repository the packages run from their TypeScript sources; `dist` holds JavaScript, types and a manifest for them.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = import.meta.dirname;
const TSC = join(PACKAGES, "..", "node_modules", ".bin", "tsc");

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : readdirSync(PACKAGES)) {
  if (existsSync(join(PACKAGES, name, "package.json"))) build(join(PACKAGES, name));
}

/** @param {string} folder */
function build(folder) {
  const dist = join(folder, "dist");
  rmSync(dist, { recursive: true, force: true });
  execFileSync(TSC, ["--project", join(folder, "tsconfig.json")], { stdio: "inherit" });
  for (const file of ["README.md", "LICENSE"]) {
    const own = join(folder, file);
    cpSync(existsSync(own) ? own : join(PACKAGES, "..", file), join(dist, file));
  }
  const {
    private: _,
    devDependencies: __,
    ...manifest
  } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const built = JSON.stringify(manifest, null, 2).replaceAll(
    /"\.\/src\/([^"]+)\.ts"/g,
    (_match, file) => `"./${file}.js"`,
  );
  writeFileSync(join(dist, "package.json"), `${built}\n`);
}
