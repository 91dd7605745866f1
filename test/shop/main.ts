import { z } from "zod";
import { readSettings } from "../../local/settings.ts";
import { shopServer } from "./serve.ts";

/** Serves the page for a service of `npm start`, which has to be told the page's origin. */
const { ORDERS_SHOP_PORT: port } = z.object({ ORDERS_SHOP_PORT: z.coerce.number().default(5173) }).parse(process.env);
const { ORDERS_API_PORT } = readSettings(process.env);

const server = await shopServer(`http://localhost:${ORDERS_API_PORT}`);
server.listen(port, "127.0.0.1", () => process.stdout.write(`Shop: http://localhost:${port}\n`));
