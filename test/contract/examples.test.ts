import { describe, expect, test } from "vitest";
import { z } from "zod";
import { readServerlessYml } from "../support/bundle.ts";
import { childOf, namesOf, OPERATIONS, openapi } from "../support/contract.ts";
import { type Functions, type HttpReply, httpEvent, placeOrderEvent, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

/** What is new with each request. */
const OWN_OF_A_REQUEST = ["pk", "created_at", "request_id"];

const PLACE = "POST /orders";
/** Every operation that reads an order, by its pk. */
const READS = OPERATIONS.filter((route) => route.startsWith("GET /orders/{pk}"));

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
/** `x-order` is the stored order that a read is for, where the reply is not the order itself. */
const Example = z.strictObject({
  summary: z.string(),
  value: z.record(z.string(), z.unknown()),
  "x-sent": Sent.optional(),
  "x-inventory": InventoryAnswer.optional(),
  "x-order": z.record(z.string(), z.unknown()).optional(),
});
const Examples = z.record(z.string(), Example).default({});

interface Promised extends z.infer<typeof Example> {
  readonly name: string;
  readonly status: number;
}

const redis = useRedis();
const functions = useFunctions(redis);
useLogLines();

const PARAMETER_KEY = z.string().parse(openapi.at("paths", "/orders", "post", "parameters", "0", "example"));

const PK = z.array(z.string()).parse(openapi.at("components", "schemas", "Pk", "examples"))[0] ?? "";

/** Those of a service without an inventory, as this one is; `priced-examples.test.ts` has the others. */
const unpricedBy = (route: string) => promisedBy(route).filter((example) => !example["x-inventory"]);

describe("every example in openapi.yaml does what it says:", () => {
  const requests = openapi.at("paths", "/orders", "post", "requestBody", "content", "application/json", "examples");

  test.for(namesOf(requests))("the order %s is placed", async (name) => {
    const reply = await send(functions, [
      { headers: {}, body: JSON.stringify(childOf(childOf(requests, name), "value")), paddedToBytes: 0 },
    ]);

    expect(reply.statusCode).toBe(200);
  });

  const placed = unpricedBy(PLACE).filter(({ status }) => status < 500 && status !== 404);
  test.for(placed)("placing gets $status $name", async (example) => {
    const reply = await send(functions, example["x-sent"] ?? []);

    expectPromised(reply, example);
    expect(reply.headers["idempotent-replayed"]).toBe(example.name === "replayed" ? "true" : undefined);
  });

  test.for(unpricedBy(PLACE).filter(({ status }) => status === 404))(
    "placing again gets $status $name once the order is deleted",
    async (example) => {
      const [first = [], again = []] = (example["x-sent"] ?? []).map((sent) => [sent]);
      const { pk } = orderOf(await send(functions, first));
      await redis.client.del(`order:${pk}`);

      expectPromised(await send(functions, again), example);
    },
  );

  const promisedByReads = READS.flatMap((route) => promisedBy(route).map((example) => ({ route, ...example })));

  test.for(promisedByReads.filter(({ status }) => status === 200))("$route gets $name", async (example) => {
    const order = example["x-order"] ?? example.value;
    const stored = Object.entries(order).map(([name, value]) => [name, String(value)]);
    await redis.client.hSet(`order:${order.pk}`, Object.fromEntries(stored));

    const reply = await read(example.route, String(order.pk));

    expect(reply).toMatchObject({ statusCode: 200, body: example.value });
    expect(reply.body).toEqual(example.value);
  });

  test.for(promisedByReads.filter(({ status }) => status === 404))("$route gets $status $name", async (example) => {
    expectPromised(await read(example.route, PK), example);
  });

  test.for(
    OPERATIONS.flatMap((route) => unpricedBy(route).map((example) => ({ route, ...example }))).filter(
      ({ status }) => status >= 500,
    ),
  )("without Redis $route gets $status $name", async ({ route, ...example }) => {
    functions.upstash.answerWith((call) => call.reset());

    const reply =
      route === PLACE
        ? await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea-green", quantity: 2 }))
        : await read(route, PK);

    expectPromised(reply, example);
  });
});

test("no operation has examples that are not run here", () => {
  const run = [PLACE, ...READS];
  expect(OPERATIONS.filter((route) => promisedBy(route).length > 0 && !run.includes(route))).toEqual([]);
});

test("the example of the Idempotency-Key is taken", async () => {
  const reply = await send(functions, [
    { headers: { "Idempotency-Key": PARAMETER_KEY }, body: '{"id": "tea", "quantity": 1}', paddedToBytes: 0 },
  ]);

  expect(reply.statusCode).toBe(200);
});

test("no two examples share an Idempotency-Key, so that a client that sends them all meets no used key", () => {
  const keysOf = ({ "x-sent": sent = [] }: Promised) =>
    new Set(sent.flatMap(({ headers }) => headers["Idempotency-Key"]?.replaceAll('"', "") ?? []));

  const keys = [PARAMETER_KEY, ...promisedBy(PLACE).flatMap((example) => [...keysOf(example)])];

  expect(keys).toEqual([...new Set(keys)]);
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

describe("with an inventory", () => {
  const inventory = useInventory();
  const functions = useFunctions(useRedis(), inventory);
  useLogLines();

  const priced = promisedBy(PLACE).filter((example) => example["x-inventory"]);

  test.for(priced.filter(({ status }) => status === 409))(
    "placing gets $status $name as openapi.yaml says, while the first request waits for the inventory",
    async (example) => {
      const [first = [], again = []] = (example["x-sent"] ?? []).map((sent) => [sent]);
      const { asked, answer } = inventory.hold();
      const placing = send(functions, first);
      await asked;

      const reply = await send(functions, again);

      answer();
      expectPromised(reply, example);
      expect((await placing).statusCode).toBe(200);
    },
  );

  test.for(priced.filter(({ status }) => status !== 409))(
    "with an inventory, placing gets $status $name as openapi.yaml says",
    async (example) => {
      const { price, status } = example["x-inventory"] ?? {};
      if (price !== undefined) inventory.sellAt(price);
      else inventory.answerWith((_request, response) => status && response.writeHead(status).end());

      const reply = await send(functions, example["x-sent"] ?? []);

      expectPromised(reply, example);
      expect(inventory.questions.length).toBeGreaterThan(0);
    },
  );
});

/** The examples of an operation's replies, by the service itself: what API Gateway says is its own. */
function promisedBy(route: string): Promised[] {
  const [method = "", path = ""] = route.split(" ");
  const responses = openapi.at("paths", path, method.toLowerCase(), "responses");
  return namesOf(responses).flatMap((status) => {
    const content = childOf(childOf(responses, status), "content");
    return namesOf(content).flatMap((mediaType) => {
      const examples = Examples.parse(childOf(childOf(content, mediaType), "examples"));
      return Object.entries(examples).map(([name, example]) => ({ ...example, name, status: Number(status) }));
    });
  });
}

async function send(functions: Functions, sent: z.infer<typeof Sent>): Promise<HttpReply> {
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

/** Invokes the function that serverless.yml has for the route. */
async function read(route: string, pk: string): Promise<HttpReply> {
  const [name = `the function of ${route}`] =
    Object.entries((await readServerlessYml()).functions).find(([, { events }]) =>
      events.some((event) => "httpApi" in event && event.httpApi === route),
    ) ?? [];
  const path = route.replace("GET ", "").replace("{pk}", pk);
  return functions.invokeHttp(name, httpEvent({ routeKey: route, method: "GET", path, pathParameters: { pk } }));
}
