// A file of its own, because the page's Content-Security-Policy allows no inline script.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyTheme);
applyTheme();

// In the dark, Swagger UI leaves these dark grey. Links between operations, which it shows beside replies, there are none.
const DARK_ON_DARK = ".btn, table.headers td, .examples-select__section-label, .parameter__name, .model-title";
document.head.insertAdjacentHTML(
  "beforeend",
  `<style>html.dark-mode .swagger-ui :is(${DARK_ON_DARK}) { color: #e4e6e6 }
  .response-col_links { display: none }</style>`,
);

/** The example's key would get the order of somebody who tried it before. randomUUID exists on https and localhost only. */
function freshKey() {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  window.ui.specActions.changeParam(["/orders", "post"], "Idempotency-Key", "header", key, false);
}

const needsToken = document.body.dataset.access === "jwt";

const page = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        executeRequest: (execute) => (request) => execute(request).finally(freshKey),
      },
    },
  },
  wrapComponents: {
    ...(!needsToken && { authorizeBtn: () => () => null, authorizeOperationBtn: () => () => null }),
    response: collapsedUnlessSuccess,
  },
});

/** Replies with errors take 5,000 pixels. Each is one line until it is opened. */
function collapsedUnlessSuccess(Response, { React: { createElement: h, useState }, getComponent }) {
  return function Reply(props) {
    const [isOpen, setOpen] = useState(props.code.startsWith("2"));
    if (isOpen) return h(Response, props);
    const open = { type: "button", className: "btn", "aria-label": `Show ${props.code}`, onClick: () => setOpen(true) };
    const description = h(getComponent("Markdown", true), { source: props.response.get("description") });
    return h(
      "tr",
      { className: "response" },
      h("td", { className: "response-col_status" }, h("button", open, props.code)),
      h("td", { colSpan: 2 }, description),
    );
  };
}

window.ui = SwaggerUIBundle({
  url: new URL("openapi.yaml", document.baseURI).href,
  dom_id: "#swagger-ui",
  // By default it sends the document's address to swagger.io to validate it.
  validatorUrl: null,
  // The schemas are collapsed: the operations are what a reader looks for.
  defaultModelsExpandDepth: 0,
  plugins: [page],
  onComplete: freshKey,
});
