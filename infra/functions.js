/** The functions of serverless.yml. */
export const FUNCTIONS = [
  "createOrder",
  "getOrder",
  "docs",
  "unknownRoute",
  "completeOrder",
  "drainRefunds",
  "sweepOrders",
];

const logicalName = (name) => name[0].toUpperCase() + name.slice(1);

/** The logical ids that the framework gives a function and its log group, and `infra/roles.js` its role. */
export const functionId = (name) => `${logicalName(name)}LambdaFunction`;
export const logGroupId = (name) => `${logicalName(name)}LogGroup`;
export const roleId = (name) => `${logicalName(name)}Role`;
