/** The handlers that the functions are measured against, by the names under which the host has them. */
export const FLOORS = {
  emptyFloor: "test/bench/floors/empty.ts",
  pipelinesFloor: "test/bench/floors/pipelines.ts",
  createScheduleFloor: "test/bench/floors/create-schedule.ts",
  createPricedFloor: "test/bench/floors/create-priced.ts",
} as const;

export type Floor = keyof typeof FLOORS;

/** A floor has the memory of the function that is measured against it, by which V8 collects garbage; others the default. */
export const MEMORY_AS: Readonly<Record<string, string>> = {
  createScheduleFloor: "createOrder",
  createPricedFloor: "createOrder",
} satisfies Partial<Record<Floor, string>>;
