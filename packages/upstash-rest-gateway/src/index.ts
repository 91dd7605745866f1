export { startUpstashGateway, type UpstashGateway, type UpstashGatewayOptions } from "./gateway.ts";
export { startGatewayThread } from "./gateway-thread.ts";
export { type Limits, PAY_AS_YOU_GO } from "./limits.ts";
