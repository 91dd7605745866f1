import { describe, expect, test } from "vitest";
import { z } from "zod";
import { OPERATIONS, openapi, responsePath } from "../support/contract.ts";
import { type HttpReply, useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { childOf, namesOf } from "../support/json-schemas.ts";
import { useLogLines } from "../support/log-lines.ts";
import { useRedis } from "../support/redis.ts";

/** What is new with each request. */
const OWN_OF_A_REQUEST = ["pk", "created_at", "request_id"];

const PLACE = "POST /orders";
const READ = "GET /orders/{pk}";

/** What the examples of `POST /orders` say was sent; the last request gets the reply. */
const Sent = z.array(
  z.strictObject({
    headers: z.record(z.string(), z.string()).default({}),
    body: z.string(),
    paddedToBytes: z.int().default(0),
  }),
);
const Example = z.strictObject({
  summary: z.string(),
  value: z.record(z.string(), z.unknown()),
  "x-sent": Sent.optional(),
});
const Examples = z.record(z.string(), Example).default({});

interface Promised extends z.infer<typeof Example> {
  readonly name: string;
  readonly status: number;
}

const redis = useRedis();
const functions = useFunctions(redis);
useLogLines();

/** The examples of an operation's replies, by the service itself: what API Gateway says is its own. */
function promisedBy(route: string): Promised[] {
  const [method = "", path = ""] = route.split(" ");
  return namesOf(openapi.at("paths", path, method.toLowerCase(), "responses")).flatMap((status) => {
    const content = openapi.at(...responsePath(route, Number(status)), "content");
    return namesOf(content).flatMap((mediaType) => {
      const examples = Examples.parse(childOf(childOf(content, mediaType), "examples"));
      return Object.entries(examples).map(([name, example]) => ({ ...example, name, status: Number(status) }));
    });
  });
}

async function send(sent: z.infer<typeof Sent>): Promise<HttpReply> {
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
function expectPromised(reply: HttpReply, { status, value }: Promised): void {
  expect(reply.statusCode).toBe(status);
  const fresh = OWN_OF_A_REQUEST.filter((name) => name in value).map((name) => [name, expect.any(String)]);
  expect(reply.body).toEqual({ ...value, ...Object.fromEntries(fresh) });
}

describe("every example in openapi.yaml does what it says:", () => {
  const requests = openapi.at("paths", "/orders", "post", "requestBody", "content", "application/json", "examples");

  test.for(namesOf(requests))("the order %s is placed", async (name) => {
    const reply = await send([
      { headers: {}, body: JSON.stringify(childOf(childOf(requests, name), "value")), paddedToBytes: 0 },
    ]);

    expect(reply.statusCode).toBe(200);
  });

  test.for(promisedBy(PLACE).filter(({ status }) => status < 500))("placing gets $status $name", async (example) => {
    const reply = await send(example["x-sent"] ?? []);

    expectPromised(reply, example);
    expect(reply.headers["idempotent-replayed"]).toBe(example.name === "replayed" ? "true" : undefined);
  });

  test.for(promisedBy(READ).filter(({ status }) => status === 200))(
    "reading gets $name of an order that is so",
    async (example) => {
      const stored = Object.entries(example.value).map(([name, value]) => [name, String(value)]);
      const pk = String(example.value.pk);
      await redis.client.hSet(`order:${pk}`, Object.fromEntries(stored));

      const reply = await functions.invokeHttp("getOrder", getOrderEvent(pk));

      expect(reply).toMatchObject({ statusCode: 200, body: example.value });
      expect(reply.body).toEqual(example.value);
    },
  );

  test.for(promisedBy(READ).filter(({ status }) => status === 404))("reading gets $status $name", async (example) => {
    const pk = z.array(z.string()).parse(openapi.at("components", "schemas", "Pk", "examples"))[0] ?? "";

    expectPromised(await functions.invokeHttp("getOrder", getOrderEvent(pk)), example);
  });

  test.for(
    OPERATIONS.flatMap((route) => promisedBy(route).map((example) => ({ route, ...example }))).filter(
      ({ status }) => status >= 500,
    ),
  )("without Redis $route gets $status $name", async ({ route, ...example }) => {
    functions.upstash.answerWith((response) => response.destroy());

    const reply =
      route === PLACE
        ? await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea-green", quantity: 2 }))
        : await functions.invokeHttp("getOrder", getOrderEvent("01KASYTJ8Q9C7Y8H0R5ZT6B3WD"));

    expectPromised(reply, example);
  });
});

test("the example of the Idempotency-Key is taken", async () => {
  const key = z.string().parse(openapi.at("paths", "/orders", "post", "parameters", "0", "example"));

  const reply = await send([
    { headers: { "Idempotency-Key": key }, body: '{"id": "tea", "quantity": 1}', paddedToBytes: 0 },
  ]);

  expect(reply.statusCode).toBe(200);
});

test("every status of an operation but API Gateway's own has an example", () => {
  const OF_API_GATEWAY = ["401", "429", "503"];
  for (const route of OPERATIONS) {
    const [method = "", path = ""] = route.split(" ");
    const statuses = namesOf(openapi.at("paths", path, method.toLowerCase(), "responses"));
    const shown = new Set(promisedBy(route).map(({ status }) => String(status)));
    expect(statuses.filter((status) => !OF_API_GATEWAY.includes(status))).toEqual([...shown]);
  }
});
