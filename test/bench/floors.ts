/** Handlers besides the functions, by the names under which the host has them. */
export const FLOORS = {
  emptyFloor: "test/bench/floors/empty.ts",
  scheduleEmptyFloor: "test/bench/floors/schedule-empty.ts",
} as const;
