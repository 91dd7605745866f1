import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import { z } from "zod";
import type { Resource } from "./template.ts";

const database = loadAwsServiceSpecSync();

const Values = z.record(z.string(), z.unknown());

type Properties = NonNullable<ReturnType<typeof specificationOf>>["properties"];
type PropertyType = Properties[string]["type"];

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

function inObject(path: string, value: unknown, properties: Properties): string[] {
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
