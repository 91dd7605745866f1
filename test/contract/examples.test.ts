import { describe, expect, test } from "vitest";
import { z } from "zod";
import { declaredFunctions, FUNCTIONS } from "../../infra/serverless-yml.ts";
import { childOf, namesOf, OPERATIONS, openapi } from "../../lab/contract.ts";
import { httpEvent, placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { newPk } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const PLACE = "POST /orders";

/** What API Gateway says is its own. */
const OF_API_GATEWAY = ["401", "429", "503"];

const Sent = z.object({
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string(),
  paddedToBytes: z.int().default(0),
});
type Sent = z.infer<typeof Sent>;

const Example = z.strictObject({
  summary: z.string(),
  value: z.record(z.string(), z.unknown()),
  /** To `POST /orders`; the last request gets the reply. */
  "x-sent": z.array(Sent).default([{ headers: {}, body: '{"id": "tea-green", "quantity": 2}', paddedToBytes: 0 }]),
  /** What the inventory answers, where the example needs one: a price, a status, or nothing at all. */
  "x-inventory": z.strictObject({ price: z.number().optional(), status: z.int().optional() }).optional(),
  /** Whether the read is for an order that may have just been placed. */
  "x-new-pk": z.boolean().default(false),
  /** The stored order that a read is for, where the reply is not the order itself. */
  "x-order": z.record(z.string(), z.unknown()).optional(),
});

/** The examples of every reply, by the service itself. */
const EXAMPLES = OPERATIONS.flatMap((route) =>
  statusesOf(route).flatMap((status) => {
    const content = openapi.at(...responsesOf(route), status, "content");
    return namesOf(content).flatMap((mediaType) => {
      const examples = z
        .record(z.string(), Example)
        .default({})
        .parse(childOf(childOf(content, mediaType), "examples"));
      return Object.entries(examples).map(([name, example]) => ({ route, status: Number(status), name, ...example }));
    });
  }),
);

const PARAMETER_KEY = z.string().parse(openapi.at("paths", "/orders", "post", "parameters", "0", "example"));

const PK = z.array(z.string()).parse(openapi.at("components", "schemas", "Pk", "examples"))[0] ?? "";

const redis = useRedis();
const inventory = useInventory();
useLogLines();

describe.for([false, true])("every example in openapi.yaml does what it says, with an inventory: %s:", (priced) => {
  const functions = useFunctions(redis, priced ? inventory : undefined);

  async function place({ headers, body, paddedToBytes }: Sent) {
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    const event = placeOrderEvent(body.padEnd(paddedToBytes), Object.fromEntries(lower));
    return functions.invokeHttp("createOrder", event);
  }

  async function placeAll(sent: readonly Sent[], status: number) {
    for (const request of sent.slice(0, -1)) {
      if (status === 409) {
        // It waits for the inventory while the last one is sent.
        const { asked, answer } = inventory.hold();
        const placing = place(request);
        await asked;
        const reply = await place(sent.at(-1) ?? request);
        answer();
        expect((await placing).statusCode).toBe(200);
        return reply;
      }
      expect((await place(request)).statusCode).toBe(200);
    }
    if (status === 410) await deleteOldOrder();
    return place(Sent.parse(sent.at(-1)));
  }

  /** Lets the only key name an order that was placed long ago and is gone. */
  async function deleteOldOrder() {
    const [key = ""] = await redis.client.keys("idempotency:*");
    const record = (await redis.client.get(key)) ?? "";
    await redis.client.set(key, record.replace(/^\w+/, PK));
  }

  /** Invokes the function that serverless.yml has for the route. */
  async function read(route: string, pk: string) {
    const isRoute = (event: object) => "httpApi" in event && event.httpApi === route;
    const name = FUNCTIONS.find((key) => declaredFunctions[key]?.events.some(isRoute)) ?? `the function of ${route}`;
    const path = route.replace("GET ", "").replace("{pk}", pk);
    return functions.invokeHttp(name, httpEvent({ routeKey: route, method: "GET", path, pathParameters: { pk } }));
  }

  const examples = EXAMPLES.filter((example) => priced === "x-inventory" in example);

  test.for(examples)("$route gets $status $name", async ({ route, status, name, value, ...given }) => {
    const { price, status: failure } = given["x-inventory"] ?? {};
    if (price !== undefined) inventory.sellAt(price);
    else inventory.answerWith((_, response) => failure && response.writeHead(failure).end());
    if (status >= 500 && !priced) functions.upstash.answerWith((call) => call.reset());
    const order = given["x-order"] ?? value;
    if (route !== PLACE && status === 200) {
      const fields = Object.entries(order).map(([field, content]) => [field, String(content)]);
      await redis.client.hSet(`order:${order.pk}`, Object.fromEntries(fields));
    }

    const reply = await (route === PLACE
      ? placeAll(given["x-sent"], status)
      : read(route, given["x-new-pk"] ? newPk() : String(order.pk ?? PK)));

    // What is new with each request; its form is checked with every reply.
    const fresh = (route === PLACE ? ["pk", "created_at", "request_id"] : ["request_id"]).filter((key) => key in value);
    expect(reply.statusCode).toBe(status);
    expect(reply.body).toEqual({ ...value, ...Object.fromEntries(fresh.map((key) => [key, expect.any(String)])) });
    expect("retry-after" in reply.headers).toBe(value.status === "pending" || status === 409 || given["x-new-pk"]);
    expect(reply.headers["idempotent-replayed"]).toBe(name === "replayed" ? "true" : undefined);
  });

  const requests = openapi.at("paths", "/orders", "post", "requestBody", "content", "application/json", "examples");

  test.for(namesOf(requests))("the order %s is placed, with the key of the example", async (name) => {
    const body = JSON.stringify(childOf(childOf(requests, name), "value"));

    const reply = await place({ headers: { "Idempotency-Key": PARAMETER_KEY }, body, paddedToBytes: 0 });

    expect(reply.statusCode).toBe(200);
  });
});

test("no two examples share an Idempotency-Key, so that a client that sends them all meets no used key", () => {
  const keysOf = (sent: readonly Sent[]) =>
    new Set(sent.flatMap(({ headers }) => headers["Idempotency-Key"]?.replaceAll('"', "") ?? []));

  const keys = [PARAMETER_KEY, ...EXAMPLES.flatMap((example) => [...keysOf(example["x-sent"])])];

  expect(keys).toEqual([...new Set(keys)]);
});

test.for(OPERATIONS)("every status of %s but API Gateway's own has an example", (route) => {
  const shown = EXAMPLES.filter((example) => example.route === route).map(({ status }) => String(status));
  expect(statusesOf(route).filter((status) => !OF_API_GATEWAY.includes(status))).toEqual([...new Set(shown)]);
});

function responsesOf(route: string): string[] {
  const [method = "", path = ""] = route.split(" ");
  return ["paths", path, method.toLowerCase(), "responses"];
}

function statusesOf(route: string): string[] {
  return namesOf(openapi.at(...responsesOf(route)));
}
