import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { fullFormats } from "ajv-formats/dist/formats.js";
import { parse } from "yaml";

/** A document of the project, with the schemas in it. */
export interface SchemaDocument {
  readonly content: unknown;
  /** What is at a JSON pointer, with the reference that it may be followed. */
  at(...path: readonly string[]): unknown;
  /** Why a value does not fit the schema at a JSON pointer; undefined when it does. */
  fault(value: unknown, ...path: readonly string[]): string | undefined;
}

/** Reads a YAML document whose schemas are JSON Schema of 2020-12, as those of OpenAPI 3.1 are. */
export async function schemaDocument(file: string): Promise<SchemaDocument> {
  const content: unknown = parse(await readFile(new URL(`../../${file}`, import.meta.url), "utf8"));
  // Not strict: the document has keywords of its own around the schemas.
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true, formats: fullFormats });
  ajv.addSchema(content ?? {}, file);

  function at(...path: readonly string[]): unknown {
    return path.reduce<unknown>((value, name) => followed(childOf(value, name)), content);
  }

  function followed(value: unknown): unknown {
    const reference = childOf(value, "$ref");
    return typeof reference === "string" ? at(...reference.slice(2).split("/").map(unescaped)) : value;
  }

  function fault(value: unknown, ...path: readonly string[]): string | undefined {
    const pointer = `${file}#/${path.map(escaped).join("/")}`;
    const validate = ajv.getSchema(pointer);
    if (!validate) throw new Error(`There is no schema at ${pointer}`);
    return validate(value) ? undefined : `${pointer}: ${ajv.errorsText(validate.errors)}`;
  }

  return { content, at, fault };
}

/** A member of an object; undefined where there is none. */
export function childOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** The names of an object's members. */
export const namesOf = (value: unknown): string[] =>
  typeof value === "object" && value !== null ? Object.keys(value) : [];

const escaped = (name: string): string => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
const unescaped = (name: string): string => name.replaceAll("~1", "/").replaceAll("~0", "~");
