import type { Redis } from "@upstash/redis";
import { pages } from "./letters.ts";
import { deadLetters, print, reasonOf, showLetter } from "./show.ts";

/** Shows every dead letter, then how many there are of each reason. Holds one page of them at a time. */
export async function list(redis: Redis): Promise<boolean> {
  const counts = new Map<string, number>();
  for await (const page of pages(redis, "whole")) {
    for (const letter of page) {
      counts.set(reasonOf(letter), (counts.get(reasonOf(letter)) ?? 0) + 1);
      await print(showLetter(letter));
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const reasons = [...counts].map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`);
  await print(total === 0 ? "There are no dead letters" : `${deadLetters(total)}: ${reasons.sort().join(", ")}`);
  return true;
}
