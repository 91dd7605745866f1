import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { z } from "zod";
import { buildOptions } from "../support/bundle.ts";

/** What the plugins of `infra/` make up. */
const GENERATED = /^(left-out|builtin|unused):/;

const Lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().default(false) })) });

export interface Rebuilt {
  readonly text: string;
  /** What of the project's own is in it: its outermost folders, or files. */
  readonly folders: readonly string[];
  /** Packages in it, as package-lock.json names them. */
  readonly packages: readonly string[];
  /** Those of them that package-lock.json has for development only. */
  readonly developmentPackages: readonly string[];
}

const builds = new Map<string, Promise<Rebuilt>>();

/** Builds a function as `serverless package` does, once, and tells what went into it: a minified bundle does not. */
export function rebuild(source: string): Promise<Rebuilt> {
  const running = builds.get(source) ?? buildAgain(source);
  builds.set(source, running);
  return running;
}

async function buildAgain(source: string): Promise<Rebuilt> {
  const { options, extension } = await buildOptions();
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: [source],
    outdir: "unused",
    outExtension: { ".js": extension },
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const inputs = Object.values(metafile.outputs)
    .flatMap((output) => Object.keys(output.inputs))
    .filter((path) => !GENERATED.test(path));
  const packages = new Set(inputs.flatMap((path) => packageOf(path) ?? []));
  const folders = new Set(inputs.filter((path) => !packageOf(path)).map((path) => path.replace(/\/.*/, "")));
  const lock = Lock.parse(JSON.parse(await readFile(new URL("../../package-lock.json", import.meta.url), "utf8")));
  return {
    text: outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "",
    folders: [...folders],
    packages: [...packages],
    developmentPackages: [...packages].filter((name) => lock.packages[name]?.dev),
  };
}

/** The innermost package that a file is in, as package-lock.json names it: `node_modules/@scope/name`. */
function packageOf(path: string): string | undefined {
  return /node_modules\/(?:.+\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}
