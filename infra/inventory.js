import { BaseUrl } from "../lib/env.ts";
import { parameterError, parameters } from "./parameters.js";

/** Refused here, because a `createOrder` that is told nonsense does not even start. */
export async function url({ resolveVariable }) {
  const inventoryUrl = await parameters(resolveVariable).text("inventoryUrl");
  if (inventoryUrl === "" || BaseUrl.safeParse(inventoryUrl).success) return inventoryUrl;
  throw parameterError(
    "inventoryUrl must be an address such as https://inventory.example.com, without query and credentials",
  );
}
