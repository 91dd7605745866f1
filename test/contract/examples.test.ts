import { describe, expect, test } from "vitest";
import { z } from "zod";
import { childOf, namesOf, OPERATIONS, openapi } from "../support/contract.ts";
import { expectPromised, PLACE, type Promised, promisedBy, READ, send } from "../support/examples.ts";
import { getOrderEvent, placeOrderEvent, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
useLogLines();

const PARAMETER_KEY = z.string().parse(openapi.at("paths", "/orders", "post", "parameters", "0", "example"));

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
    OPERATIONS.flatMap((route) => unpricedBy(route).map((example) => ({ route, ...example }))).filter(
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
