import { ProblemTypesUrl } from "../lib/env/problem-types.ts";
import { parameters } from "./parameters.js";

/** Checked here, because the HTTP functions do not start with a wrong address. */
export async function url({ resolveVariable }) {
  const problemTypesUrl = await parameters(resolveVariable).text("problemTypesUrl");
  if (problemTypesUrl === "" || ProblemTypesUrl.safeParse(problemTypesUrl).success) return problemTypesUrl;
  throw new Error("problemTypesUrl must be an https address that ends with / or #");
}
