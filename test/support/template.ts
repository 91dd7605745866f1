import { z } from "zod";

const Properties = z.record(z.string(), z.unknown());

const Resource = z.object({
  Type: z.string(),
  Properties: Properties.default({}),
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
