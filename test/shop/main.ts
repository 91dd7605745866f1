import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { z } from "zod";
import { readSettings } from "../../local/settings.ts";

const SOURCE = join(import.meta.dirname, "page.tsx");

/**
 * A server of the shop's page, which is built here and kept in memory; it listens nowhere yet.
 * @param api the address of the order service, without a slash at its end
 */
export async function shopServer(api: string): Promise<Server> {
  const define = { "process.env.NODE_ENV": '"production"' };
  const built = await build({
    entryPoints: [SOURCE],
    bundle: true,
    format: "esm",
    jsx: "automatic",
    define,
    write: false,
  });
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,"><main data-api="${api}"></main><script type="module" src="/page.js"></script></html>`;
  const files = new Map([
    ["/", { type: "text/html", body: html }],
    ["/page.js", { type: "text/javascript", body: built.outputFiles[0]?.text }],
  ]);
  return createServer(({ url = "/" }, reply) => {
    const file = files.get(url);
    if (file) reply.writeHead(200, { "content-type": file.type }).end(file.body);
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
