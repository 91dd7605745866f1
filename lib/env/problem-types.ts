import * as z from "zod/mini";

/** The base of the address of each problem type: what is appended is a name, as `invalid-order`. */
export const ProblemTypesUrl = z
  .string()
  .check(z.refine(isBase, "must be an https URL that ends with / or #, without credentials"));

/** Where the types of problem documents are described. Unset or empty: nowhere, and the type is `about:blank`. */
export const ProblemTypesEnv = z.object({ PROBLEM_TYPES_URL: z.optional(z.union([z.literal(""), ProblemTypesUrl])) });

function isBase(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.username + url.password === "" && /[/#]$/.test(text);
}
