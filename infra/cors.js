import { parameters } from "./parameters.js";

/** Which pages of other origins may call the API from a browser; without any, browsers let none. */
export async function cors({ resolveVariable }) {
  const allowedOrigins = await parameters(resolveVariable).list("corsOrigins");
  if (allowedOrigins.length === 0) return false;
  if (allowedOrigins.includes("*")) throw new Error('corsOrigins must name origins: "*" would allow every page');
  return {
    allowedOrigins,
    allowedMethods: ["GET", "POST"],
    allowedHeaders: ["Content-Type", "Idempotency-Key", "Authorization"],
    exposedResponseHeaders: ["Location", "Idempotent-Replayed"],
    maxAge: 3600,
  };
}
