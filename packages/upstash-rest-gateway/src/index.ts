import "./node-version.ts";

export type { Faults } from "./faults.ts";
export { startUpstashGateway, type UpstashGateway } from "./gateway.ts";
export { startGatewayThread } from "./gateway-thread.ts";
export { type Limits, PAY_AS_YOU_GO } from "./limits.ts";
export { InvalidOptions, type UpstashGatewayOptions } from "./options.ts";
