/**
 * CloudWatch's metric math, as far as alarms use it here (CloudWatch User Guide, "Using math expressions with CloudWatch
 * metrics"). Each rule cites the sentence that it implements.
 */

/** The data points of a range, oldest first. `undefined` is a missing one. */
export type Series = readonly (number | undefined)[];
type Value = Series | number;

export interface MathOptions {
  /** Whether FILL fills a series that has no data point in the whole range. CloudWatch does not document it. */
  readonly fillsEmptySeries: boolean;
}

type Node =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "id"; readonly id: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Node[] }
  | { readonly kind: "operation"; readonly operator: string; readonly left: Node; readonly right: Node };

/** From the loosest to the tightest. */
const PRECEDENCE: readonly (readonly string[])[] = [
  ["OR", "||"],
  ["AND", "&&"],
  ["==", "!=", "<=", ">=", "<", ">"],
  ["+", "-"],
  ["*", "/"],
];
/** Parsed once: an alarm is evaluated each minute. */
const parsed = new Map<string, Node>();
const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z]\w*|==|!=|<=|>=|&&|\|\||[-+*/<>(),])/y;

/** @throws Error when an expression has a syntax, a function or an id that this does not know */
export function evaluateMath(
  expression: string,
  metrics: ReadonlyMap<string, Series>,
  length: number,
  options: MathOptions,
): Series {
  const node = parsed.get(expression) ?? parse(expression);
  parsed.set(expression, node);
  const value = evaluate(node, metrics, length, options);
  // "The final result of any math expression must be a single time series or an array of time series."
  if (typeof value === "number") throw new Error(`The result of ${expression} is not a time series`);
  return value;
}

function parse(expression: string): Node {
  const tokens = tokensOf(expression);
  let at = 0;
  const take = (expected?: string) => {
    const token = tokens[at];
    if (token === undefined || (expected !== undefined && token !== expected)) {
      throw new Error(`Expected ${expected ?? "more"} in ${expression}, not ${token}`);
    }
    at += 1;
    return token;
  };
  function binary(level: number): Node {
    const operators = PRECEDENCE[level];
    if (!operators) return primary();
    let left = binary(level + 1);
    while (operators.includes(tokens[at] ?? "")) {
      left = { kind: "operation", operator: take(), left, right: binary(level + 1) };
    }
    return left;
  }
  function primary(): Node {
    const token = take();
    if (token === "-")
      return { kind: "operation", operator: "-", left: { kind: "number", value: 0 }, right: primary() };
    if (token === "(") {
      const inner = binary(0);
      take(")");
      return inner;
    }
    if (/^\d/.test(token)) return { kind: "number", value: Number(token) };
    if (tokens[at] !== "(") return { kind: "id", id: token };
    take("(");
    const args = [binary(0)];
    while (tokens[at] === ",") {
      take(",");
      args.push(binary(0));
    }
    take(")");
    return { kind: "call", name: token, args };
  }
  const node = binary(0);
  if (at !== tokens.length) throw new Error(`${tokens[at]} is not expected in ${expression}`);
  return node;
}

function tokensOf(expression: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const token = TOKEN.exec(expression)?.[1];
    if (token === undefined) throw new Error(`Cannot read ${expression.slice(start)}`);
    tokens.push(token);
  }
  return tokens;
}

function evaluate(node: Node, metrics: ReadonlyMap<string, Series>, length: number, options: MathOptions): Value {
  const resolve = (inner: Node) => evaluate(inner, metrics, length, options);
  switch (node.kind) {
    case "number":
      return node.value;
    case "id": {
      const series = metrics.get(node.id);
      if (!series) throw new Error(`There is no metric ${node.id}`);
      return series;
    }
    case "operation":
      return operate(node.operator, resolve(node.left), resolve(node.right), length);
    case "call":
      return call(node.name, node.args.map(resolve), length, options);
  }
}

/**
 * - "Missing values in a time series are treated as 0", where the other series has a value.
 * - "If the value of a data point causes a function to attempt to divide by zero, the data point is dropped."
 * - "When comparison operators are used between two time series, and only one of the time series has a value for a particular
 *   time stamp, the function treats the missing value in the other time series as 0." The guide's table of examples has the same
 *   for AND.
 */
function operate(operator: string, left: Value, right: Value, length: number): Value {
  if (typeof left === "number" && typeof right === "number") return calculate(operator, left, right) ?? Number.NaN;
  return points(length, (at) => {
    const [a, b] = [pointOf(left, at), pointOf(right, at)];
    const known = [left, right].some((side) => typeof side !== "number" && side[at] !== undefined);
    return known ? calculate(operator, a ?? 0, b ?? 0) : undefined;
  });
}

function calculate(operator: string, a: number, b: number): number | undefined {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? undefined : a / b;
    case "==":
      return Number(a === b);
    case "!=":
      return Number(a !== b);
    case "<=":
      return Number(a <= b);
    case ">=":
      return Number(a >= b);
    case "<":
      return Number(a < b);
    case ">":
      return Number(a > b);
    case "AND":
    case "&&":
      return Number(a !== 0 && b !== 0);
    case "OR":
    case "||":
      return Number(a !== 0 || b !== 0);
    default:
      throw new Error(`There is no operator ${operator}`);
  }
}

function call(name: string, args: readonly Value[], length: number, { fillsEmptySeries }: MathOptions): Value {
  const [first = Number.NaN, second = Number.NaN, third] = args;
  if (typeof first === "number") throw new Error(`The first argument of ${name} is not a time series`);
  switch (name) {
    // "FILL: Fills the missing values of a time series."
    case "FILL":
      if (!fillsEmptySeries && first.every((point) => point === undefined)) return first;
      return points(length, (at) => first[at] ?? pointOf(second, at));
    // "… has the value of 0, if the corresponding data point of metric1 is TRUE and the corresponding data point does not exist in
    // metric2; is dropped, if the corresponding data point of metric1 is FALSE and the corresponding data point does not exist in
    // metric3 or if metric3 is omitted"; "is dropped if the corresponding data point in metric1 does not exist."
    case "IF":
      return points(length, (at) => {
        const condition = first[at];
        if (condition === undefined) return undefined;
        if (condition !== 0) return pointOf(second, at) ?? 0;
        return third === undefined ? undefined : pointOf(third, at);
      });
    default:
      throw new Error(`There is no function ${name}`);
  }
}

const points = (length: number, pointAt: (at: number) => number | undefined): Series =>
  Array.from({ length }, (_, at) => pointAt(at));

const pointOf = (value: Value, at: number): number | undefined => (typeof value === "number" ? value : value[at]);
