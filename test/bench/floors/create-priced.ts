import { handler as createSchedule } from "./create-schedule.ts";

const { INVENTORY_URL } = process.env;

/** What the product inventory takes besides: one question by bare `fetch`. */
export async function handler(event: Parameters<typeof createSchedule>[0]) {
  const response = await fetch(`${INVENTORY_URL}/products/tea-green`);
  await response.json();
  return createSchedule(event);
}
