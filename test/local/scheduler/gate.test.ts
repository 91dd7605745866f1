import { expect, test } from "vitest";
import { createGate } from "../../../local/scheduler/gate.ts";

test("a gate lets in so many at once, in order, and a failed work gives its place on", async () => {
  const gate = createGate(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const works = Array.from({ length: 20 }, (_, i) =>
    gate(async () => {
      order.push(i);
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
      if (i % 3 === 0) throw new Error(`work ${i}`);
    }),
  );

  const ends = await Promise.allSettled(works);

  expect(most).toBe(2);
  expect(order).toEqual(works.map((_, i) => i));
  expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(7);
  expect(await gate(async () => "open again")).toBe("open again");
});
