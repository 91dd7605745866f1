import { expect } from "vitest";
import { z } from "zod";
import { childOf, namesOf, openapi, responsePath } from "./contract.ts";
import { type Functions, type HttpReply, placeOrderEvent } from "./functions.ts";

/** What is new with each request. */
const OWN_OF_A_REQUEST = ["pk", "created_at", "request_id"];

export const PLACE = "POST /orders";
export const READ = "GET /orders/{pk}";

/** What the examples of `POST /orders` say was sent; the last request gets the reply. */
const Sent = z.array(
  z.strictObject({
    headers: z.record(z.string(), z.string()).default({}),
    body: z.string(),
    paddedToBytes: z.int().default(0),
  }),
);
/** What the inventory answers, where the example needs one: a price, a status, or nothing at all. */
const InventoryAnswer = z.strictObject({ price: z.number().optional(), status: z.int().optional() });
const Example = z.strictObject({
  summary: z.string(),
  value: z.record(z.string(), z.unknown()),
  "x-sent": Sent.optional(),
  "x-inventory": InventoryAnswer.optional(),
});
const Examples = z.record(z.string(), Example).default({});

export interface Promised extends z.infer<typeof Example> {
  readonly name: string;
  readonly status: number;
}

/** The examples of an operation's replies, by the service itself: what API Gateway says is its own. */
export function promisedBy(route: string): Promised[] {
  const [method = "", path = ""] = route.split(" ");
  return namesOf(openapi.at("paths", path, method.toLowerCase(), "responses")).flatMap((status) => {
    const content = openapi.at(...responsePath(route, Number(status)), "content");
    return namesOf(content).flatMap((mediaType) => {
      const examples = Examples.parse(childOf(childOf(content, mediaType), "examples"));
      return Object.entries(examples).map(([name, example]) => ({ ...example, name, status: Number(status) }));
    });
  });
}

export async function send(functions: Functions, sent: z.infer<typeof Sent>): Promise<HttpReply> {
  let reply: HttpReply | undefined;
  for (const { headers, body, paddedToBytes } of sent) {
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    reply = await functions.invokeHttp(
      "createOrder",
      placeOrderEvent(body.padEnd(paddedToBytes), Object.fromEntries(lower)),
    );
  }
  if (!reply) throw new Error("The example says of nothing that it was sent");
  return reply;
}

/** Expects the reply of the example but for what is new with each request, of which the form is checked with every reply. */
export function expectPromised(reply: HttpReply, { status, value }: Promised): void {
  expect(reply.statusCode).toBe(status);
  const fresh = OWN_OF_A_REQUEST.filter((name) => name in value).map((name) => [name, expect.any(String)]);
  expect(reply.body).toEqual({ ...value, ...Object.fromEntries(fresh) });
}
