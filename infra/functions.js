import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** The functions of serverless.yml. The framework's own variables cannot be asked: roles are needed before it resolves any. */
export const FUNCTIONS = Object.keys(
  // CloudFormation's tags, such as !GetAtt, are none that a plain reader of YAML knows, and none is in a name.
  parse(readFileSync(new URL("../serverless.yml", import.meta.url), "utf8"), { logLevel: "silent" }).functions,
);

const logicalName = (name) => name[0].toUpperCase() + name.slice(1);

/** The logical ids that the framework gives a function and its log group, and `infra/roles.js` its role. */
export const functionId = (name) => `${logicalName(name)}LambdaFunction`;
export const logGroupId = (name) => `${logicalName(name)}LogGroup`;
export const roleId = (name) => `${logicalName(name)}Role`;
