import { alarmStack } from "./alarms.ts";
import { apiStack } from "./api.ts";
import { completionResources } from "./completions.ts";
import { dashboardStack } from "./dashboard.ts";
import { deadLetterResources } from "./dead-letters.ts";
import { functionId } from "./logical-ids.ts";
import type { Parameters } from "./parameters.ts";
import { roleResources } from "./roles.ts";
import { POLLERS } from "./serverless-yml.ts";

/** The functions that each order runs. Reserved concurrency also limits them, so a flood of orders cannot use up the account's. */
const ORDER_FUNCTIONS = ["createOrder", "completeOrder"];

/** Pollers run once a minute. The runs of `completion: sweep` overlap, and a retry by Lambda may overlap both. */
const POLLER_CONCURRENCY = 3;

/**
 * The CloudFormation stack besides what the framework generates, for `resources` of serverless.yml.
 * @param stack such as `orders-prod`: the prefix of every name in the stack
 */
export function stackResources(stack: string, parameters: Parameters) {
  const [api, alarms, dashboard] = [
    apiStack(stack, parameters),
    alarmStack(stack, parameters),
    dashboardStack(stack, parameters),
  ];
  return {
    Resources: {
      ...completionResources(stack),
      ...deadLetterResources(parameters),
      ...roleResources(parameters),
      ...api.Resources,
      ...alarms.Resources,
      ...dashboard.Resources,
    },
    extensions: { ...api.extensions, ...reservedConcurrency(parameters) },
    Outputs: { ...api.Outputs, ...alarms.Outputs, ...dashboard.Outputs },
  };
}

/** Extends the functions of serverless.yml: its key `reservedConcurrency` cannot be left empty. */
function reservedConcurrency({ reservedConcurrency: reserved }: Parameters) {
  if (reserved === undefined) return {};
  const reserve = (names: readonly string[], executions: number) =>
    names.map((name) => [functionId(name), { Properties: { ReservedConcurrentExecutions: executions } }]);
  return Object.fromEntries([...reserve(ORDER_FUNCTIONS, reserved), ...reserve(POLLERS, POLLER_CONCURRENCY)]);
}
