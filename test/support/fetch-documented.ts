import { expectDocumented, routeOf } from "./contract.ts";

/** `fetch` from the running service, of which every reply must be one that openapi.yaml promises. */
export async function fetchDocumented(url: string, init: RequestInit = {}): Promise<Response> {
  const reply = await fetch(url, init);
  const text = await reply.clone().text();
  expectDocumented(routeOf(init.method ?? "GET", new URL(url).pathname), {
    statusCode: reply.status,
    headers: Object.fromEntries([...reply.headers].filter((header) => !isOfOffline(header))),
    body: text === "" ? undefined : JSON.parse(text),
  });
  return reply;
}

/** hapi, under serverless-offline, adds this one where a reply says nothing of caches. */
function isOfOffline([name, value]: [string, string]): boolean {
  return name === "cache-control" && value === "no-cache";
}
