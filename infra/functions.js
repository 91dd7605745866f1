import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** The framework's own variables cannot be asked: roles are needed before it resolves any. */
const { functions } = parse(readFileSync(new URL("../serverless.yml", import.meta.url), "utf8"), {
  // CloudFormation's tags, such as !GetAtt, are none that a plain reader of YAML knows, and none is in what is read here.
  logLevel: "silent",
});

/** The functions of serverless.yml. */
export const FUNCTIONS = Object.keys(functions);

const logicalName = (name) => name.slice(0, 1).toUpperCase() + name.slice(1);

/** The logical ids that the framework gives a function and its log group, and `infra/roles.js` its role. */
export const functionId = (name) => `${logicalName(name)}LambdaFunction`;
export const logGroupId = (name) => `${logicalName(name)}LogGroup`;
export const roleId = (name) => `${logicalName(name)}Role`;

/** The logical ids that the framework gives the routes of a function, but for the one that takes what no other does. */
export const routeIds = (name) =>
  (functions[name].events ?? []).flatMap(({ httpApi = "*" }) =>
    httpApi === "*" ? [] : [`HttpApiRoute${httpApi.split("/").map(pathPart).join("")}`],
  );

/** As the framework's `normalizePathPart`: `{pk}` is PkVar, `openapi.yaml` Openapiyaml. */
const pathPart = (part) =>
  logicalName(
    part
      .toLowerCase()
      .replaceAll("-", "Dash")
      .replace(/\{(.*)\}/, "$1Var")
      .replaceAll(/[^0-9A-Za-z]/g, ""),
  );
