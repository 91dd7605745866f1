import { parameterError, parameters } from "./parameters.js";

/** Checked here and not by the functions: those that read nothing else would carry zod, 18 KB and 6 ms of a cold start. */
export async function url({ resolveVariable }) {
  const problemTypesUrl = await parameters(resolveVariable).text("problemTypesUrl");
  if (problemTypesUrl === "" || isBase(problemTypesUrl)) return problemTypesUrl;
  throw parameterError("problemTypesUrl must be an https address that ends with / or #");
}

/** The name of a problem type is appended. */
const isBase = (text) => URL.parse(text)?.protocol === "https:" && /[/#]$/.test(text);
