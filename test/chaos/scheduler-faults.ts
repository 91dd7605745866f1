import { INSTANCE_WEIGHTS, NETWORK_FAULTS, NETWORK_WEIGHTS, type Treatment } from "./call-faults.ts";

/** An error as EventBridge Scheduler's REST-JSON protocol carries it. */
const error = (status: number, type: string, message: string): Treatment => {
  const headers = { "content-type": "application/json", "x-amzn-errortype": type };
  return ({ call }) => call.answer({ status, headers, content: JSON.stringify({ Message: message }) });
};

const conflict = error(409, "ConflictException", "Schedule already exists.");

export const SCHEDULER_FAULTS = {
  ...NETWORK_FAULTS,
  throttled: error(429, "ThrottlingException", "Rate exceeded"),
  failed: error(500, "InternalServerException", "Internal failure"),
  failed_after: async (struck) => {
    await struck.call.forward();
    await error(500, "InternalServerException", "Internal failure")(struck);
  },
  /** As when an attempt whose reply was lost made the schedule. */
  conflict: async (struck) => {
    await struck.call.forward();
    await conflict(struck);
  },
} satisfies Record<string, Treatment>;

export const SCHEDULER_WEIGHTS = {
  ...NETWORK_WEIGHTS,
  throttled: 2,
  failed: 1,
  failed_after: 1,
  conflict: 1,
  ...INSTANCE_WEIGHTS,
} satisfies Record<keyof typeof SCHEDULER_FAULTS | keyof typeof INSTANCE_WEIGHTS, number>;
