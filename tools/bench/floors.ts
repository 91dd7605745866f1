/** Handlers besides the functions, by the names under which the host has them. */
export const FLOORS = {
  emptyFloor: "tools/bench/floors/empty.ts",
  scheduleEmptyFloor: "tools/bench/floors/schedule-empty.ts",
} as const;
