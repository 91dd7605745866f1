interface Named {
  readonly name: string;
}

interface Parts {
  readonly swaggerUiCss: Named;
  readonly swaggerUiBundle: Named;
  readonly initializer: Named;
}

/** The docs page. Its URLs are relative, so that it works below any stage or base path. */
export const page = ({ swaggerUiCss, swaggerUiBundle, initializer }: Parts): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Order service</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="docs/${swaggerUiCss.name}">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/${swaggerUiBundle.name}"></script>
    <script src="docs/${initializer.name}"></script>
  </body>
</html>
`;
