import * as z from "zod/mini";

/** An address to which a path can be appended. Credentials in it would be sent to no one. */
export const BaseUrl = z
  .string()
  .check(
    z.refine(isBaseUrl, { error: "must be an http or https URL without query, fragment and credentials", abort: true }),
  );

/** Where `createOrder` asks for prices. Unset or empty: nowhere, and orders have no price. */
export const InventoryEnv = z.object({ INVENTORY_URL: z.optional(z.union([z.literal(""), BaseUrl])) });
export type InventoryEnv = z.infer<typeof InventoryEnv>;

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === "" && !/[?#]/.test(text);
}
