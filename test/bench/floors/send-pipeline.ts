const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

/** @throws Error with the whole reply when a command failed: a floor that does not do its work is none */
export async function sendPipeline(commands: unknown[]): Promise<void> {
  const response = await fetch(`${url}/pipeline`, { method: "POST", headers, body: JSON.stringify(commands) });
  const replies: unknown = await response.json();
  if (!Array.isArray(replies) || replies.some((reply) => "error" in reply)) throw new Error(JSON.stringify(replies));
}
