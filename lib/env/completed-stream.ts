import * as z from "zod/mini";

/** How many entries `order_completed` keeps, about: older ones are trimmed, read or not. */
export const CompletedStreamEnv = z.object({
  COMPLETED_STREAM_MAX_LENGTH: z.coerce.number<string>().check(z.int(), z.minimum(1)),
});
