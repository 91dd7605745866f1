import { expect, test } from "vitest";
import { redacted } from "../../lib/errors.ts";

test("a redacted error has the names and messages of all its causes, and nothing else of them", () => {
  const socketError = Object.assign(new TypeError("connect ECONNREFUSED"), { headers: "secret" });
  const cause = new Error("no reply", { cause: socketError });
  const chain: object[] = [];

  const error = redacted(Object.assign(new Error("fetch failed", { cause }), { command: "secret" }));
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    chain.push({ ...each, name: each.name, message: each.message });
  }

  expect(chain).toEqual([
    { name: "Error", message: "fetch failed" },
    { name: "Error", message: "no reply" },
    { name: "TypeError", message: "connect ECONNREFUSED" },
  ]);
});
