import { expect } from "vitest";
import { schemaDocument } from "./json-schemas.ts";

export const asyncapi = await schemaDocument("asyncapi.yaml");

/** Expects of a stream's entry what asyncapi.yaml has of such a message, and nothing else in it where that is told. */
export function expectDocumentedEntry(message: string, entry: unknown): void {
  expect(asyncapi.fault(entry, "components", "schemas", message)).toBeUndefined();
}
