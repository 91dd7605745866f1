import { functionId } from "./functions.js";
import { parameters } from "./parameters.js";

/** What an order runs. Reserved concurrency is a limit too, so that no flood of orders takes all that the account has. */
const ORDER_FUNCTIONS = ["createOrder", "completeOrder"];

/** They run once a minute; a retry of Lambda's may meet the next minute's run. */
const POLLERS = ["drainRefunds", "sweepOrders"];
const POLLER_CONCURRENCY = 2;

/** Extends the functions of serverless.yml: its key `reservedConcurrency` cannot be left empty. */
export async function resources({ resolveVariable }) {
  const { text, wholeNumber } = parameters(resolveVariable);
  if ((await text("reservedConcurrency")) === "") return {};
  const reserved = await wholeNumber("reservedConcurrency", 1);
  return { extensions: { ...reserve(ORDER_FUNCTIONS, reserved), ...reserve(POLLERS, POLLER_CONCURRENCY) } };
}

const reserve = (names, ReservedConcurrentExecutions) =>
  Object.fromEntries(names.map((name) => [functionId(name), { Properties: { ReservedConcurrentExecutions } }]));
