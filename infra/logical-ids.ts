import { declaredFunctions } from "./serverless-yml.ts";

/** The logical ids that the framework gives a function and its log group, and `roles.ts` its role. */
export const functionId = (name: string) => `${capitalized(name)}LambdaFunction`;
export const logGroupId = (name: string) => `${capitalized(name)}LogGroup`;
export const roleId = (name: string) => `${capitalized(name)}Role`;

/** The logical ids that the framework gives the routes of a function, except the catch-all route `*`. */
export const routeIds = (name: string): string[] =>
  (declaredFunctions[name]?.events ?? []).flatMap((event) =>
    "schedule" in event || event.httpApi === "*"
      ? []
      : [`HttpApiRoute${event.httpApi.split("/").map(pathPart).join("")}`],
  );

/** A reference for CloudFormation's Fn::Sub: to a logical id, an attribute (`Queue.Arn`), or a pseudo parameter (`AWS::Region`). */
export const reference = (to: string) => `\${${to}}`;

/** The ARN of a resource of the stack. */
export const arnOf = (logicalId: string) => ({ "Fn::GetAtt": [logicalId, "Arn"] });

/** An ARN in the stack's own account and Region. */
export const ownArn = (service: string, resource: string) => ({
  "Fn::Sub": `arn:${reference("AWS::Partition")}:${service}:${reference("AWS::Region")}:${reference("AWS::AccountId")}:${resource}`,
});

export const capitalized = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

/** As the framework's `normalizePathPart`: `{pk}` is PkVar, `openapi.yaml` is Openapiyaml. */
const pathPart = (part: string) =>
  capitalized(
    part
      .toLowerCase()
      .replaceAll("-", "Dash")
      .replace(/\{(.*)\}/, "$1Var")
      .replaceAll(/[^0-9A-Za-z]/g, ""),
  );
