import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const Event = z.object({ httpApi: z.string().optional(), schedule: z.string().optional() });
const ServerlessYml = z.object({
  functions: z.record(z.string(), z.object({ events: z.array(Event).default([]) })),
});

const { functions } = ServerlessYml.parse(
  parse(readFileSync(new URL("../serverless.yml", import.meta.url), "utf8"), {
    // The parser does not know CloudFormation's tags, such as !GetAtt, and warns about them.
    logLevel: "silent",
  }),
);

/** The names of the functions in serverless.yml. */
export const FUNCTIONS = Object.keys(functions);

/** The functions that EventBridge invokes on a schedule. */
export const POLLERS = FUNCTIONS.filter((name) => functions[name]?.events.some(({ schedule }) => schedule));

/** The logical ids that the framework gives a function and its log group, and `roles.ts` its role. */
export const functionId = (name: string) => `${capitalized(name)}LambdaFunction`;
export const logGroupId = (name: string) => `${capitalized(name)}LogGroup`;
export const roleId = (name: string) => `${capitalized(name)}Role`;

/** The logical ids that the framework gives the routes of a function, except the catch-all route `*`. */
export const routeIds = (name: string): string[] =>
  (functions[name]?.events ?? []).flatMap(({ httpApi = "*" }) =>
    httpApi === "*" ? [] : [`HttpApiRoute${httpApi.split("/").map(pathPart).join("")}`],
  );

/** A reference for CloudFormation's Fn::Sub: to a logical id, an attribute (`Queue.Arn`), or a pseudo parameter (`AWS::Region`). */
export const reference = (to: string) => `\${${to}}`;

/** An ARN in the stack's own account and Region. */
export const ownArn = (service: string, resource: string) => ({
  "Fn::Sub": `arn:${reference("AWS::Partition")}:${service}:${reference("AWS::Region")}:${reference("AWS::AccountId")}:${resource}`,
});

const capitalized = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

/** As the framework's `normalizePathPart`: `{pk}` is PkVar, `openapi.yaml` is Openapiyaml. */
const pathPart = (part: string) =>
  capitalized(
    part
      .toLowerCase()
      .replaceAll("-", "Dash")
      .replace(/\{(.*)\}/, "$1Var")
      .replaceAll(/[^0-9A-Za-z]/g, ""),
  );
