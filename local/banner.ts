import type { Settings } from "./settings.ts";
import type { Stack } from "./stack.ts";

/** What a person needs once everything runs. Its first line is what scripts wait for. */
export function banner(settings: Settings, stack: Stack): string {
  const api = `http://localhost:${settings.ORDERS_API_PORT}`;
  const lines = [
    `Order service ready: ${api}`,
    "",
    `API           ${api}/orders`,
    `Docs          ${api}/docs`,
    `Lambda invoke http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`,
    ...stack.addresses,
    "",
    "Place an order, and read it again 6 seconds later:",
    "",
    `  curl -i ${api}/orders --json '{"id": "tea-green", "quantity": 2}'`,
    "",
    "Ctrl-C stops everything.",
  ];
  return `\n${lines.map((line) => `  ${line}`.trimEnd()).join("\n")}\n\n`;
}
