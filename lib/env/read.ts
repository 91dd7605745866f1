import type * as z from "zod/mini";

/**
 * Reads a part of the environment at cold start: the parts are files of their own, so that a bundle holds only those that
 * its function reads.
 * @throws Error that names every variable that is missing or malformed, with our own rule where it breaks one, and no value.
 */
export function readEnv<Env extends z.ZodMiniType>(schema: Env): z.output<Env> {
  const env = schema.safeParse(process.env);
  if (env.success) return env.data;
  const names = env.error.issues.map(({ path, code, message }) =>
    code === "custom" ? `${path.join(".")} (${message})` : path.join("."),
  );
  throw new Error(`Missing or malformed environment variables: ${names.join(", ")}`);
}
