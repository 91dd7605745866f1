// A file of its own, because the page's Content-Security-Policy allows no inline script.
window.ui = SwaggerUIBundle({
  url: new URL("openapi.yaml", document.baseURI).href,
  dom_id: "#swagger-ui",
  // Else it would ask swagger.io whether the document is valid.
  validatorUrl: null,
  // The schemas are collapsed: the operations are what a reader looks for.
  defaultModelsExpandDepth: 0,
});
