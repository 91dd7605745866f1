/** How the Scheduler stand-in delivers schedules. */
export const DELIVERIES = ["on time", "late", "twice", "never"] as const;
type Delivery = (typeof DELIVERIES)[number];

/** How late each schedule fires, and how often it is delivered. */
export const SCHEDULE_FAULTS: Readonly<Record<Delivery, { readonly delayMs: number; readonly copies: number }>> = {
  "on time": { delayMs: 0, copies: 1 },
  late: { delayMs: 20_000, copies: 1 },
  twice: { delayMs: 0, copies: 2 },
  never: { delayMs: 0, copies: 0 },
};

/** What is broken on purpose. The local stack asks it at each schedule and each question to the inventory. */
export interface Faults {
  redis: "up" | "down";
  schedules: Delivery;
  inventory: "up" | "slow";
}

export const NO_FAULTS: Readonly<Faults> = { redis: "up", schedules: "on time", inventory: "up" };
