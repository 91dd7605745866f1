import fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";
import { placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { type HttpReply, useFunctions } from "../support/functions.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { expectNothingLeaks, expectProblem } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";
import { requests, routed, SEED_KEY, SEED_ORDER } from "./http-requests.ts";
import { ANY_TIME, runs } from "./runs.ts";

const RUNS = 400;

/** What each function may refuse, as openapi.yaml has it. */
const REFUSALS = {
  createOrder: {
    "malformed-json": 400,
    "invalid-idempotency-key": 400,
    "body-too-large": 413,
    "unsupported-media-type": 415,
    "invalid-order": 422,
    "idempotency-key-reused": 422,
  },
  getOrder: { "order-not-found": 404 },
  unknownRoute: { "route-not-found": 404, "method-not-allowed": 405 },
} as const satisfies Record<string, Record<string, number>>;

const Said = z.object({
  code: z.string().transform((code) => code.replaceAll("_", "-")),
  errors: z.array(z.object({ pointer: z.string().regex(/^#(\/([^~]|~[01])*)*$/) })).optional(),
});

/** What openapi.yaml says of a request that is accepted. */
const Accepted = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(128)
    .refine((id) => id.isWellFormed() && !/\p{Cc}/u.test(id))
    .refine((id) => !id.split(/[/\\]/).some((segment) => segment === "." || segment === "..")),
  quantity: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(1).max(1_000_000)),
});
const MAX_BODY_BYTES = 16_384;

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

async function seeded(): Promise<string> {
  await redis.client.flushAll();
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(SEED_ORDER, { "idempotency-key": SEED_KEY }));
  return orderOf(reply).pk;
}

function expectRefusal(name: keyof typeof REFUSALS, reply: HttpReply): void {
  const { code, errors } = Said.parse(reply.body);
  const status = new Map<string, number>(Object.entries(REFUSALS[name])).get(code);
  if (status === undefined) throw new Error(`${name} must not reply ${reply.statusCode} ${code}`);
  expectProblem(
    reply,
    status,
    code,
    errors?.map(({ pointer }) => pointer),
  );
}

test("no request gets a 5xx, what is refused stores nothing, and what is accepted is what was asked for", {
  timeout: ANY_TIME,
}, async () => {
  await fc.assert(
    fc.asyncProperty(requests, async (request) => {
      const seedPk = await seeded();
      const before = await dumpKeyspace(redis.client);
      const { name, event } = routed(request, seedPk);

      const reply = await functions.invokeHttp(name, event);

      const after = await dumpKeyspace(redis.client);
      const { method } = event.requestContext.http;
      const isReplay = reply.headers["idempotent-replayed"] === "true";
      if (name !== "createOrder" || reply.statusCode !== 200 || isReplay) expect(after).toEqual(before);
      if (method === "HEAD") expect(reply.body).toBeUndefined();
      else if (reply.statusCode === 204) expect(method).toBe("OPTIONS");
      else if (reply.statusCode !== 200) expectRefusal(name, reply);
      if (method === "HEAD" || reply.statusCode !== 200) return;
      const { pk, product_id, quantity, status } = orderOf(reply);
      expect(await redis.client.hGetAll(`order:${pk}`)).toMatchObject({ pk, product_id, quantity: String(quantity) });
      if (name === "getOrder") return;
      const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
      expect(body.length).toBeLessThanOrEqual(MAX_BODY_BYTES);
      const asked = Accepted.parse(JSON.parse(body.toString()));
      expect({ id: product_id, quantity, status }).toEqual({ ...asked, status: "pending" });
      expect(reply.headers).toMatchObject({ location: `/orders/${pk}` });
    }),
    runs("test/model/http-fuzz.test.ts", RUNS),
  );
  expect(log.logged.filter(({ level }) => level === "ERROR")).toEqual([]);
  expectNothingLeaks(log.text);
});
