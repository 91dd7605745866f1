import { z } from "zod";

/** `provider.httpApi.cors` of serverless.yml as infra/api.ts makes it, as far as it matters here. */
const Cors = z.union([
  z.literal(false).transform(() => ({ allowedOrigins: [] })),
  z.object({ allowedOrigins: z.array(z.string()) }),
]);

/** @returns the origins whose pages may call the API from a browser: those of the parameter `corsOrigins`, as on AWS */
export function allowedOrigins(cors: unknown): readonly string[] {
  return Cors.parse(cors).allowedOrigins;
}

/**
 * serverless-offline lets the pages of every origin read replies: all of them where no origin is configured, and all but
 * those to preflights where some are. API Gateway says nothing of CORS to an origin that is not configured, and then the
 * browser refuses (HTTP API developer guide, "Configure CORS").
 */
export function withholdFromStrangers(
  origin: string | undefined,
  allowed: readonly string[],
  replyHeaders: Record<string, unknown>,
): void {
  if (origin === undefined || allowed.includes(origin)) return;
  for (const name of Object.keys(replyHeaders)) {
    if (name.startsWith("access-control-")) delete replyHeaders[name];
  }
}
