// A file of its own, because the page's Content-Security-Policy allows no inline script.
window.ui = SwaggerUIBundle({
  url: new URL("openapi.yaml", document.baseURI).href,
  dom_id: "#swagger-ui",
  // By default it sends the document's address to swagger.io to validate it.
  validatorUrl: null,
  // The schemas are collapsed: the operations are what a reader looks for.
  defaultModelsExpandDepth: 0,
});
