import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { z } from "zod";
import { readSettings } from "../../local/settings.ts";

/**
 * A server of the shop's page, which is built here and kept in memory; it listens nowhere yet.
 * @param api the address of the order service, without a slash at its end
 */
export async function shopServer(api: string): Promise<Server> {
  const built = await build({
    entryPoints: [join(import.meta.dirname, "page.tsx")],
    bundle: true,
    format: "esm",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
  });
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,"><main data-api="${api}"></main><script type="module" src="/page.js"></script></html>`;
  return createServer(({ url }, reply) => {
    if (url === "/") reply.setHeader("content-type", "text/html").end(html);
    else if (url === "/page.js") reply.setHeader("content-type", "text/javascript").end(built.outputFiles[0]?.text);
    else reply.writeHead(404).end();
  });
}

// Serves the page for a service of `npm start`, which must be given the page's origin.
if (import.meta.main) {
  const { ORDERS_SHOP_PORT: port } = z.object({ ORDERS_SHOP_PORT: z.coerce.number().default(5173) }).parse(process.env);
  const { ORDERS_API_PORT } = readSettings(process.env);
  const server = await shopServer(`http://localhost:${ORDERS_API_PORT}`);
  server.listen(port, "127.0.0.1", () => process.stdout.write(`Shop: http://localhost:${port}\n`));
}
