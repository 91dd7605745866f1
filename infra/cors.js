import { parameterError, parameters } from "./parameters.js";

/** Which pages of other origins may call the API from a browser; without any, browsers let none. */
export async function cors({ resolveVariable }) {
  const allowedOrigins = await parameters(resolveVariable).list("corsOrigins");
  if (allowedOrigins.length === 0) return false;
  const wrong = allowedOrigins.find((origin) => !isOrigin(origin));
  if (wrong) throw parameterError(`corsOrigins must name origins, as https://shop.example.com: "${wrong}" is none`);
  return {
    allowedOrigins,
    allowedMethods: ["GET", "HEAD", "POST"],
    allowedHeaders: ["Content-Type", "Idempotency-Key", "Authorization"],
    exposedResponseHeaders: ["Location", "Idempotent-Replayed", "Retry-After"],
    maxAge: 3600,
  };
}

/** As browsers send it: no path, no slash at the end, which would never match; and no `*`, which would allow every page. */
function isOrigin(text) {
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
