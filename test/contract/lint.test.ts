import { expect, test } from "vitest";
import { z } from "zod";
import { redocly } from "../support/redocly.ts";

const Report = z.object({
  totals: z.object({ errors: z.number(), warnings: z.number(), ignored: z.number() }),
  problems: z.array(z.unknown()),
});

test.for(["openapi.yaml", "asyncapi.yaml"])("%s has nothing that Redocly's recommended rules warn of", async (file) => {
  const report = await redocly("lint", file, "--format", "json", "--extends", "recommended");

  const { totals, problems } = Report.parse(JSON.parse(report));
  expect(problems).toEqual([]);
  expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
});
