import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import { z } from "zod";

const database = loadAwsServiceSpecSync();

const Values = z.record(z.string(), z.unknown());

type Specification = NonNullable<ReturnType<typeof specificationOf>>["properties"];
type PropertyType = Specification[string]["type"];

const Resource = z.object({
  Type: z.string(),
  Properties: Values.default({}),
  DependsOn: z.union([z.string(), z.array(z.string())]).optional(),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
});
export type Resource = z.infer<typeof Resource>;

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

/** Whether a type of resource holds what a new one would not, by AWS's own list. */
export function isStateful(type: string): boolean {
  return specificationOf(type)?.isStateful ?? false;
}

/**
 * What CloudFormation would refuse of a resource: an unknown type or property, a required one that is missing, a value of
 * the wrong kind or not among those allowed. Intrinsic functions pass for any value.
 */
export function problemsOf(id: string, { Type, Properties }: Resource): string[] {
  const specification = specificationOf(Type);
  if (!specification) return [`${id}: there is no type ${Type}`];
  return inObject(id, Properties, specification.properties);
}

function specificationOf(type: string) {
  return database.lookup("resource", "cloudFormationType", "equals", type)[0];
}

function inObject(path: string, value: unknown, properties: Specification): string[] {
  const object = Values.safeParse(value);
  if (!object.success) return [`${path}: must be an object`];
  const missing = Object.keys(properties).filter((name) => properties[name]?.required && !(name in object.data));
  const inside = Object.entries(object.data).flatMap(([name, property]) => {
    const known = properties[name];
    return known ? inValue(`${path}.${name}`, property, known.type) : [`${path}.${name}: there is no such property`];
  });
  return [...missing.map((name) => `${path}.${name}: is required`), ...inside];
}

function inValue(path: string, value: unknown, type: PropertyType): string[] {
  if (isIntrinsic(value)) return [];
  switch (type.type) {
    case "string":
      if (typeof value !== "string") return [`${path}: must be a string`];
      return type.allowedValues && !type.allowedValues.includes(value) ? [`${path}: ${value} is not allowed`] : [];
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: must be a whole number`];
    case "number":
      return typeof value === "number" ? [] : [`${path}: must be a number`];
    case "boolean":
      return typeof value === "boolean" ? [] : [`${path}: must be true or false`];
    case "array":
      if (!Array.isArray(value)) return [`${path}: must be a list`];
      return value.flatMap((item: unknown, index) => inValue(`${path}.${index}`, item, type.element));
    case "map":
      return Object.entries(Values.parse(value)).flatMap(([key, item]) =>
        inValue(`${path}.${key}`, item, type.element),
      );
    case "ref":
      return inObject(path, value, database.get("typeDefinition", type.reference.$ref).properties);
    case "union": {
      const tries = type.types.map((each) => inValue(path, value, each));
      return tries.find((problems) => problems.length === 0) ?? tries[0] ?? [];
    }
    default:
      return [];
  }
}

/** `{ Ref: … }` and `{ "Fn::…": … }`, of which only CloudFormation knows the value. */
function isIntrinsic(value: unknown): boolean {
  const keys = Object.keys(Values.safeParse(value).data ?? {});
  return keys.length === 1 && (keys[0] === "Ref" || (keys[0]?.startsWith("Fn::") ?? false));
}

/** Logical ids that the resource refers to, by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`. */
export function referencesOf(template: Template, id: string): string[] {
  const resource = template.Resources[id];
  return [...new Set([...found(resource?.Properties), ...[resource?.DependsOn ?? []].flat()])];
}

/** Logical ids that an output or any other value refers to. */
export function found(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    if (key === "Ref" && typeof inner === "string") return ownOnly([inner]);
    if (key === "Fn::GetAtt" && Array.isArray(inner)) return ownOnly([String(inner[0])]);
    if (key === "Fn::Sub" && typeof inner === "string") {
      return ownOnly([...inner.matchAll(/\$\{([^}.!]+)[^}]*\}/g)].map(([, id = ""]) => id));
    }
    return found(inner);
  });
}

const ownOnly = (ids: string[]) => ids.filter((id) => !id.startsWith("AWS::"));
