/** Files that are imported `with { type: "text" }`. */

declare module "*.lua" {
  const text: string;
  export default text;
}

/** Files that are imported `with { type: "asset" }`: see infra/esbuild-plugins.ts. */

declare module "*.yaml" {
  import type { BuiltAsset } from "./lib/docs/assets.ts";

  const asset: BuiltAsset;
  export default asset;
  export const json: BuiltAsset;
}

declare module "*.css" {
  import type { BuiltAsset } from "./lib/docs/assets.ts";

  const asset: BuiltAsset;
  export default asset;
}

declare module "*/swagger-ui-bundle.js" {
  import type { BuiltAsset } from "./lib/docs/assets.ts";

  const asset: BuiltAsset;
  export default asset;
}

declare module "*/initializer.js" {
  import type { BuiltAsset } from "./lib/docs/assets.ts";

  const asset: BuiltAsset;
  export default asset;
}
