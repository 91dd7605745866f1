import type { Template } from "./template.ts";

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

/** A cycle of references among the resources, or nothing. */
export function cycleIn(template: Template): string[] | undefined {
  const done = new Set<string>();
  function visit(id: string, path: string[]): string[] | undefined {
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    if (done.has(id)) return undefined;
    for (const next of referencesOf(template, id)) {
      const cycle = visit(next, [...path, id]);
      if (cycle) return cycle;
    }
    done.add(id);
    return undefined;
  }
  return Object.keys(template.Resources)
    .map((id) => visit(id, []))
    .find((cycle) => cycle);
}

const ownOnly = (ids: string[]) => ids.filter((id) => !id.startsWith("AWS::"));
