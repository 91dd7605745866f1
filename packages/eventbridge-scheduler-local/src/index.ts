import "./node-version.ts";

export type { Faults } from "./faults.ts";
export { type SchedulerServer, type SchedulerServerOptions, startScheduler } from "./server.ts";
