import swaggerUiCss from "swagger-ui-dist/swagger-ui.css" with { type: "text" };
import swaggerUiBundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "text" };
import openapi from "../../openapi.yaml" with { type: "text" };
import initializer from "./initializer.js" with { type: "text" };
import page from "./page.html" with { type: "text" };

export interface Asset {
  readonly contentType: string;
  readonly text: string;
}

/** Everything the docs page is made of, bundled into the function: no CDN, so that it works behind any firewall. */
export const ASSETS: Readonly<Record<string, Asset>> = {
  "/docs": { contentType: "text/html; charset=utf-8", text: page },
  "/docs/initializer.js": { contentType: "text/javascript; charset=utf-8", text: initializer },
  "/docs/swagger-ui-bundle.js": { contentType: "text/javascript; charset=utf-8", text: swaggerUiBundle },
  "/docs/swagger-ui.css": { contentType: "text/css; charset=utf-8", text: swaggerUiCss },
  "/openapi.yaml": { contentType: "application/yaml", text: openapi },
};
