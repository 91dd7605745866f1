/** Files that are imported `with { type: "text" }`. */

declare module "*.lua" {
  const text: string;
  export default text;
}

declare module "*.yaml" {
  const text: string;
  export default text;
}

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.css" {
  const text: string;
  export default text;
}

declare module "*/swagger-ui-bundle.js" {
  const text: string;
  export default text;
}

declare module "*/initializer.js" {
  const text: string;
  export default text;
}
