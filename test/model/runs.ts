import fc, { type Parameters } from "fast-check";
import { z } from "zod";

const Env = z.object({
  ORDERS_MODEL_RUNS: z.coerce.number().int().min(1).optional(),
  ORDERS_MODEL_SEED: z.coerce.number().int().optional(),
  ORDERS_MODEL_PATH: z.string().optional(),
  ORDERS_MODEL_REPLAY: z.string().optional(),
});
const env = Env.parse(process.env);

/** Which of a failed run's commands were run; only for sequences of commands. */
export const replayPath = env.ORDERS_MODEL_REPLAY;

/** Long enough for any number of runs: how long one takes is the machine's affair. */
export const ANY_TIME = 0;

/**
 * How often a property is tried, and from which seed: random by default, or as the environment says. A failure prints the
 * variables that repeat it.
 * @param file the test's, from the project's folder
 * @param numRuns where ORDERS_MODEL_RUNS does not say how many
 */
export function runs<Inputs>(file: string, numRuns: number): Parameters<Inputs> {
  return {
    numRuns: env.ORDERS_MODEL_RUNS ?? numRuns,
    ...(env.ORDERS_MODEL_SEED !== undefined && { seed: env.ORDERS_MODEL_SEED }),
    ...(env.ORDERS_MODEL_PATH !== undefined && { path: env.ORDERS_MODEL_PATH, endOnFailure: true }),
    includeErrorInReport: false,
    async asyncReporter(result) {
      if (!result.failed) return;
      const replayed = /replayPath="([^"]*)"/.exec(fc.stringify(result.counterexample))?.[1];
      const again = [
        `ORDERS_MODEL_SEED=${result.seed}`,
        ...(result.counterexamplePath === null ? [] : [`ORDERS_MODEL_PATH=${result.counterexamplePath}`]),
        ...(replayed === undefined ? [] : [`ORDERS_MODEL_REPLAY=${replayed}`]),
      ];
      const report = await fc.asyncDefaultReportMessage(result);
      throw new Error(`Run it again with ${again.join(" ")} npx vitest run ${file}\n${report}`, {
        cause: result.errorInstance,
      });
    },
  };
}
