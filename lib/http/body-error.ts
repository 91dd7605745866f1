import * as z from "zod/mini";
import { OrderError } from "../errors.ts";
import { HttpError } from "./http-error.ts";

/** What `@middy/http-json-body-parser` throws, with the name of a forbidden key where there is one. */
const BodyParserError = z.object({
  message: z.string(),
  cause: z.object({ package: z.literal("@middy/http-json-body-parser"), data: z.optional(z.string()) }),
});

const FORBIDDEN_KEY = "Forbidden key in JSON body";

/**
 * Puts what the body parser throws into the service's own terms; any other error is returned as it is.
 * The parser calls JSON that holds `__proto__` unparsable; to a client it is a field that no order has.
 */
export function bodyError<Thrown>(error: Thrown): Thrown | HttpError | OrderError {
  const thrown = BodyParserError.safeParse(error);
  if (!thrown.success) return error;
  const { message, cause } = thrown.data;
  if (message !== FORBIDDEN_KEY) return new HttpError("malformed_json");
  return new OrderError("invalid_order", {
    fields: [{ path: [cause.data ?? ""], detail: "is not a field of an order" }],
  });
}
