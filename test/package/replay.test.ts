import { expect, test } from "vitest";
import { evaluateMath, type Series } from "./metric-math.ts";
import { nextState } from "./replay.ts";

const _ = undefined;
const TREATMENTS = ["missing", "ignore", "breaching", "notBreaching"] as const;
const STATES = { I: "INSUFFICIENT_DATA", A: "ALARM", O: "OK", R: "retained" } as const;

/** Both tables of the CloudWatch User Guide, "How alarm state is evaluated when data is missing", and its text on premature alarms. */
test.for([
  [3, "0 - X - X", "OOOO"],
  [3, "0 - - - -", "OOOO"],
  [3, "- - - - -", "IRAO"],
  [3, "0 X X - X", "AAAA"],
  [3, "- - X - -", "ARAO"],
  [3, "- - - - X", "IRAO"],
  [3, "- - - X -", "IRAO"],
  [2, "0 - X - X", "AAAA"],
  [2, "0 0 X 0 X", "AAAA"],
  [2, "0 - X - -", "OOAO"],
  [2, "- - - - 0", "OOAO"],
  [2, "- - - X -", "ARAO"],
] as const)("%d of 3 data points, of %s", ([DatapointsToAlarm, points, expected]) => {
  const range = points.split(" ").map((point) => (point === "-" ? undefined : point === "X"));
  const states = TREATMENTS.map((TreatMissingData) =>
    (["OK", "ALARM"] as const).map((state) =>
      nextState({ DatapointsToAlarm, EvaluationPeriods: 3, TreatMissingData }, range, state),
    ),
  );

  expect(states).toEqual(
    [...expected].map((letter) =>
      letter === "R" ? ["OK", "ALARM"] : Array.from({ length: 2 }, () => STATES[letter as keyof typeof STATES]),
    ),
  );
});

/** The examples of the CloudWatch User Guide, "Using math expressions with CloudWatch metrics", and of its rules. */
test.for<[expression: string, metrics: Record<string, Series>, expected: Series]>([
  ["(m1 < m2)", { m1: [30, 20, 0, 0], m2: [20, _, 20, _] }, [0, 0, 1, 0]],
  ["(m1 >= 30)", { m1: [30, 20, 0, 0] }, [1, 0, 0, 0]],
  ["(m1 > 15 AND m2 > 15)", { m1: [30, 20, 0, 0], m2: [20, _, 20, _] }, [1, 0, 0, 0]],
  ["IF(m1, m2, m3)", { m1: [1, 1, 0, 0, _], m2: [30, _, 0, 0, 30], m3: [0, 0, 20, _, 20] }, [30, 0, 20, _, _]],
  ["IF(m1, 5, m3)", { m1: [1, 1, 0, 0, _], m3: [0, 0, 20, _, 20] }, [5, 5, 20, _, _]],
  ["IF(m1, m2, 5)", { m1: [1, 1, 0, 0, _], m2: [30, _, 0, 0, 30] }, [30, 0, 5, 5, _]],
  ["m1 + m2", { m1: [1, _, _], m2: [2, 3, _] }, [3, 3, _]],
  ["100 * m1 / m2", { m1: [1, 1, _], m2: [4, 0, 2] }, [25, _, 0]],
  ["m1 - 2 - 1 * -m1", { m1: [5] }, [8]],
  ["m1 > 1 OR m1 < 1 AND m1 < 0", { m1: [0, 1, 2] }, [0, 0, 1]],
  ["FILL(m1, -1)", { m1: [_, 2, _] }, [-1, 2, -1]],
])("%s", ([expression, metrics, expected]) => {
  const series = new Map(Object.entries(metrics));
  expect(evaluateMath(expression, series, expected.length, { fillsEmptySeries: false })).toEqual(expected);
});

test.for(["m1 +", "m1 m1", "(m1", "m1 % 2", "MAX(m1)", "other", "5"])("%s is refused", (expression) => {
  const series = new Map([["m1", [1]]]);
  expect(() => evaluateMath(expression, series, 1, { fillsEmptySeries: false })).toThrow();
});
