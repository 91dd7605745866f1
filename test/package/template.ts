import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import { z } from "zod";
import { readParameters, readParametersYml } from "../../infra/parameters.ts";

const Values = z.record(z.string(), z.unknown());

/** infra/parameters.yml, as it is written. */
export const PARAMETERS = readParametersYml();

/** The parameters of a stage, with those of the command line. */
export const parametersOf = (stage: "dev" | "prod", ...commandLine: string[]) =>
  readParameters({ default: PARAMETERS.default, stage: stage === "prod" ? PARAMETERS.prod : {}, commandLine });

const database = loadAwsServiceSpecSync();

type Specification = NonNullable<ReturnType<typeof specificationOf>>["properties"];
type PropertyType = Specification[string]["type"];

const Resource = z.object({
  Type: z.string(),
  Properties: Values.default({}),
  DependsOn: z.union([z.string(), z.array(z.string())]).optional(),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
});

/** What tests read of a CloudFormation template. */
export const Template = z.object({
  Resources: z.record(z.string(), Resource),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown() })),
});
export type Template = z.infer<typeof Template>;

/** The properties of every resource of a type, by logical id. */
export function resourcesOf<Shape extends z.ZodType>(
  template: Template,
  type: string,
  shape: Shape,
): Map<string, z.output<Shape>> {
  const resources = Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  if (resources.length === 0) throw new Error(`The template has no ${type}`);
  return new Map(resources.map(([id, { Properties }]) => [id, shape.parse(Properties)]));
}

/** The properties of one resource. */
export function resource<Shape extends z.ZodType>(template: Template, id: string, shape: Shape): z.output<Shape> {
  return shape.parse(template.Resources[id]?.Properties);
}

export const ref = (id: string) => ({ Ref: id });
export const arnOf = (id: string) => ({ "Fn::GetAtt": [id, "Arn"] });

/** A value in one line: JSON without quotes, in which a reference is the logical id or the attribute that it refers to. */
export function inOneLine(value: unknown): string {
  const json = JSON.stringify(value, (_, inner) => {
    return inner?.Ref ?? inner?.["Fn::GetAtt"]?.join(".") ?? inner?.["Fn::Sub"] ?? inner;
  });
  return json.replaceAll('"', "");
}

/** Logical ids that resources and outputs refer to, by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`. */
export function referencesOf({ Resources, Outputs }: Template): string[] {
  const reference = /"Ref":"([^"]+)"|"Fn::GetAtt":\["([^"]+)"|\$\{([^}.!]+)[^}]*\}/g;
  const found = [...JSON.stringify([Resources, Outputs]).matchAll(reference)].map(([, ...ids]) => ids.join(""));
  const needed = Object.values(Resources).flatMap(({ DependsOn = [] }) => DependsOn);
  return [...found, ...needed].filter((id) => !id.startsWith("AWS::"));
}

/** Whether a type of resource holds what a new one would not, by AWS's own list. */
export function isStateful(type: string): boolean {
  return specificationOf(type)?.isStateful ?? false;
}

/**
 * What CloudFormation would refuse: an unknown type or property, a required one that is missing, a value of the wrong kind or
 * not among those allowed.
 */
export function problemsOf({ Resources }: Template): string[] {
  return Object.entries(Resources).flatMap(([id, { Type, Properties }]) => {
    const specification = specificationOf(Type);
    if (!specification) return [`${id}: there is no type ${Type}`];
    const { error } = objectOf(specification.properties).safeParse(Properties);
    return (error?.issues ?? []).map(({ path, message }) => `${[id, ...path].join(".")}: ${message}`);
  });
}

function specificationOf(type: string) {
  return database.lookup("resource", "cloudFormationType", "equals", type)[0];
}

function objectOf(properties: Specification) {
  const shape = Object.entries(properties).map(([name, { type, required }]) => {
    const value = orIntrinsic(schemaOf(type));
    return [name, required ? value : value.optional()];
  });
  return z.strictObject(Object.fromEntries(shape));
}

function schemaOf(type: PropertyType): z.ZodType {
  switch (type.type) {
    case "string":
      return type.allowedValues ? z.enum(type.allowedValues) : z.string();
    case "integer":
      return z.int();
    case "number":
      return z.number();
    case "boolean":
      return z.boolean();
    case "array":
      return z.array(orIntrinsic(schemaOf(type.element)));
    case "map":
      return z.record(z.string(), orIntrinsic(schemaOf(type.element)));
    case "ref":
      return z.lazy(() => objectOf(database.get("typeDefinition", type.reference.$ref).properties));
    case "union":
      return z.union(type.types.map(schemaOf));
    default:
      return z.unknown();
  }
}

/** `{ Ref: … }` and `{ "Fn::…": … }`, of which only CloudFormation knows the value, pass for any value. */
function orIntrinsic(schema: z.ZodType) {
  return z.unknown().superRefine((value, { addIssue }) => {
    if (isIntrinsic(value)) return;
    for (const issue of schema.safeParse(value).error?.issues ?? []) addIssue({ ...issue });
  });
}

function isIntrinsic(value: unknown): boolean {
  const [key = "", ...others] = typeof value === "object" && value !== null ? Object.keys(value) : [];
  return others.length === 0 && /^(Ref$|Fn::)/.test(key);
}
