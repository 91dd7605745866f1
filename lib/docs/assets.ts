import swaggerUiCss from "swagger-ui-dist/swagger-ui.css" with { type: "asset" };
import swaggerUiBundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "asset" };
import asyncapiYaml from "../../asyncapi.yaml" with { type: "asset" };
import openapiYaml, { json as openapiJson } from "../../openapi.yaml" with { type: "asset" };
import initializer from "./initializer.js" with { type: "asset" };

/** A file as the build imports it (infra/esbuild-plugins.ts), with its contents in base64. */
export interface BuiltAsset {
  /** The file's name with a fingerprint of its content. */
  readonly name: string;
  readonly brotli: string;
  readonly gzip: string;
}

export interface Asset {
  readonly contentType: string;
  /** Text that is served unchanged, or content that the build compressed. */
  readonly content: string | BuiltAsset;
  /** Whether the path changes with the content. */
  readonly fingerprinted: boolean;
}

const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/** The docs page and its files, by path. They are bundled into the function, not on a CDN, so that a firewall does not matter. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ["/docs", named("text/html; charset=utf-8", page({ swaggerUiCss, swaggerUiBundle, initializer }))],
  ["/openapi.yaml", named("application/yaml", openapiYaml)],
  ["/openapi.json", named("application/json", openapiJson)],
  ["/asyncapi.yaml", named("application/yaml", asyncapiYaml)],
  fingerprinted(CSS, swaggerUiCss),
  fingerprinted(SCRIPT, swaggerUiBundle),
  fingerprinted(SCRIPT, initializer),
]);

function named(contentType: string, content: string | BuiltAsset): Asset {
  return { contentType, content, fingerprinted: false };
}

function fingerprinted(contentType: string, content: BuiltAsset): [string, Asset] {
  return [`/docs/${content.name}`, { contentType, content, fingerprinted: true }];
}

interface Named {
  readonly name: string;
}

interface Parts {
  readonly swaggerUiCss: Named;
  readonly swaggerUiBundle: Named;
  readonly initializer: Named;
}

/** The docs page. Its URLs are relative, so that it works below any stage or base path. It asks for a token only where one is needed. */
function page({ swaggerUiCss, swaggerUiBundle, initializer }: Parts): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Order service</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="docs/${swaggerUiCss.name}">
  </head>
  <body data-access="${process.env.ACCESS}">
    <div id="swagger-ui"></div>
    <script src="docs/${swaggerUiBundle.name}"></script>
    <script src="docs/${initializer.name}"></script>
  </body>
</html>
`;
}
