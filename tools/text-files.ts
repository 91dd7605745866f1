import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

/**
 * Gives plain Node what the bundler gives the functions: scripts imported `with { type: "text" }`. Import this file before
 * anything that needs it, and that dynamically: static imports are all loaded first.
 */
registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith(".lua")) return nextLoad(url, context);
    const text = readFileSync(new URL(url), "utf8");
    return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
  },
});
