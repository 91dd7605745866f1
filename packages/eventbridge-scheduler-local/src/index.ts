export { type SchedulerServer, type SchedulerServerOptions, startScheduler } from "./server.ts";
