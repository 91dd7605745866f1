import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";
import { getOrderEvent, placeOrderEvent, useFunctions } from "../support/functions.ts";
import type { Answer } from "../support/http-front.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf, storeOrder, storeOrders } from "../support/orders.ts";
import { expectNothingLeaks, expectProblem } from "../support/problems.ts";
import { forbid, useOwnRedis, useRedis } from "../support/redis.ts";

describe("Redis is down", () => {
  const PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
  /** One, and four retries: with its pauses and time-outs (lib/redis/commands.ts) that ends within 4 seconds. */
  const MAX_ATTEMPTS = 5;
  const RECOVERY = { timeout: 60_000, interval: 50 };

  let server: RedisServer | undefined;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  const running = () => server ?? expect.unreachable("Redis runs inside tests only");
  const functions = useFunctions({
    get url() {
      return running().url;
    },
  });
  const log = useLogLines();

  const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
  const read = (pk: string) => functions.invokeHttp("getOrder", getOrderEvent(pk));

  test("while Redis is dead a POST gets 500 after a few attempts, and once it is back it works again", async () => {
    // given
    const { pk } = orderOf(await place());
    const { port, pid, exited } = running();
    process.kill(pid, "SIGKILL");
    await exited;

    // when
    functions.upstash.reset();
    const reply = await place();

    // then
    expect(functions.upstash.requests.length).toBeLessThanOrEqual(MAX_ATTEMPTS);
    expectProblem(reply, 500, "internal-error");
    expect(log.logged.slice(1)).toEqual([
      expect.objectContaining({ level: "ERROR", message: "Request failed", code: "redis_failed", status: 500 }),
    ]);
    expect(log.text).toMatch(/the database cannot be reached: .*(ECONNREFUSED|closed)/);
    expectProblem(await read(pk), 500, "internal-error");
    for (const job of ["completeOrder", "drainRefunds", "sweepOrders"] as const) {
      await expect(functions.invokeJob(job, { pk })).rejects.toMatchObject({ code: "redis_failed" });
    }

    // when
    await running().stop();
    server = await startRedis({ port });

    // then
    await vi.waitFor(async () => expect(await place()).toMatchObject({ statusCode: 200 }), RECOVERY);
    await functions.invokeJob("completeOrder", { pk: PK });
  });

  test("an order is placed while no Scheduler listens", async () => {
    await functions.scheduler.stop();

    const { pk } = orderOf(await place());

    expect(log.logged).toEqual([
      expect.objectContaining({ level: "INFO", message: "Order placed", pk }),
      expect.objectContaining({ level: "ERROR", pk, error: expect.objectContaining({ code: "ECONNREFUSED" }) }),
    ]);
    expect(log.metrics).toEqual([expect.objectContaining({ ScheduleFailures: 1 })]);
    expect(orderOf(await read(pk))).toMatchObject({ status: "pending" });
  });
});

describe("Upstash fails", () => {
  const functions = useFunctions(useRedis());
  const log = useLogLines();

  const PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
  const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));

  /** No attempt begins when the first is 2.5 seconds old, and each may take 1.5: then a request has ended within 5 seconds. */
  const MAX_TIMEOUTS = 2;
  /** One, four retries, and one at once where the first was sent on a kept connection. */
  const MAX_ATTEMPTS = 6;

  /** Expects the one line that tells a person on call the cause; stacks apart, it shows nothing secret. */
  function expectCauseLogged(message: string, cause: RegExp): void {
    expect(log.logged).toEqual([expect.objectContaining({ level: "ERROR", message })]);
    expect(log.text).toContain('"redis_failed"');
    const withoutStacks = log.text.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, "");
    expect(withoutStacks).toMatch(cause);
    expectNothingLeaks(withoutStacks);
  }

  test.for<[string, Answer, RegExp, number]>([
    ["never answers", () => undefined, /TimeoutError/, MAX_TIMEOUTS],
    [
      "answers with a page",
      (response) => response.writeHead(502).end("<html>a page with something secret</html>"),
      /status 502 is not JSON/,
      MAX_ATTEMPTS,
    ],
  ])(
    "when Upstash %s, requests get 500 after a few attempts and the log says why",
    async ([, answer, cause, attempts]) => {
      functions.upstash.answerWith(answer);

      const reply = await place();

      expect(functions.upstash.requests.length).toBeLessThanOrEqual(attempts);
      expectProblem(reply, 500, "internal-error");
      expectCauseLogged("Request failed", cause);
      expect(log.text).not.toContain("something secret");
      expect(functions.scheduler.requests).toEqual([]);
    },
  );

  test("an order whose reply from Redis is lost is stored once", async () => {
    // given
    const idempotencyKey = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
    const event = placeOrderEvent({ id: "tea", quantity: 2 }, idempotencyKey);
    functions.upstash.loseNextReply();

    // when
    const reply = await functions.invokeHttp("createOrder", event);

    // then
    const order = orderOf(reply);
    expect(reply.headers).not.toHaveProperty("idempotent-replayed");
    expect(orderOf(await functions.invokeHttp("createOrder", event))).toEqual(order);
    expect(log.logged.filter(({ message }) => message === "Order placed")).toHaveLength(1);
  });

  test("an invocation that is about to be cut off is answered with a problem document", async () => {
    functions.upstash.answerWith(() => undefined);

    const reply = await functions.invokeHttp("getOrder", getOrderEvent(PK), () => 500);

    expectProblem(reply, 500, "internal-error");
    expect(log.logged).toEqual([
      expect.objectContaining({ level: "ERROR", error: expect.objectContaining({ name: "TimeoutError" }) }),
    ]);
  });
});

describe("no schedule can be created", () => {
  const redis = useRedis();
  const functions = useFunctions(redis);
  const log = useLogLines();

  const TEA = { id: "tea-green", quantity: 2 };

  /** As the service answers: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html */
  const awsError =
    (status: number, type: string): Answer =>
    (response) =>
      response
        .writeHead(status, { "content-type": "application/json", "x-amzn-errortype": type })
        .end(JSON.stringify({ Message: "said by Scheduler" }));

  test.for<[string, Answer, string, number]>([
    ["throttles", awsError(429, "ThrottlingException"), "ThrottlingException", 2],
    ["has no quota left", awsError(402, "ServiceQuotaExceededException"), "ServiceQuotaExceededException", 1],
    ["never answers", () => undefined, "TimeoutError", 2],
    ["stalls after its headers", (response) => void response.writeHead(200).write("{"), "AbortError", 1],
    [
      "asks for a long pause",
      (response) => response.writeHead(429, { "retry-after": "60" }).end("{}"),
      "AbortError",
      1,
    ],
  ])("when Scheduler %s the order is placed all the same, for the sweep", async ([, answer, errorName, attempts]) => {
    // given
    functions.scheduler.answerWith(answer);

    // when
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

    // then
    const { pk } = orderOf(reply);
    expect(await redis.client.zRange("orders:pending", 0, -1)).toEqual([pk]);
    expect(functions.scheduler.requests).toEqual(Array.from({ length: attempts }, () => `POST /schedules/${pk}`));
    expect(log.logged).toEqual([
      expect.objectContaining({ level: "INFO", message: "Order placed", pk }),
      expect.objectContaining({ level: "ERROR", pk, error: expect.objectContaining({ name: errorName }) }),
    ]);
    expect(log.metrics).toEqual([expect.objectContaining({ OrdersCreated: 1, ScheduleFailures: 1 })]);
    expect(log.text).not.toContain("tea-green");
    expectNothingLeaks(JSON.stringify(reply));
  });

  test("a schedule that is there already is a success", async () => {
    functions.scheduler.answerWith(awsError(409, "ConflictException"));

    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

    expect(reply.statusCode).toBe(200);
    expect(log.logged).toEqual([expect.objectContaining({ level: "INFO", message: "Order placed" })]);
    expect(log.metrics).toEqual([expect.not.objectContaining({ ScheduleFailures: expect.anything() })]);
  });

  test("a schedule whose reply is lost is made once", async () => {
    // given
    functions.scheduler.loseNextReply();

    // when
    const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

    // then
    expect(functions.scheduler.requests).toEqual([`POST /schedules/${pk}`, `POST /schedules/${pk}`]);
    expect(await functions.getSchedule(pk)).toMatchObject({ Name: pk });
    expect(log.logged).toEqual([expect.objectContaining({ level: "INFO" })]);
  });
});

describe("a full database", () => {
  const MIB = 1024 * 1024;
  const RECORD_BYTES = 2 * MIB;
  const DATABASE_BYTES = 16 * MIB;
  const PLENTY = () => 45_000;

  const redis = useOwnRedis();
  const functions = useFunctions(redis, undefined, { recordBytes: RECORD_BYTES, databaseBytes: DATABASE_BYTES });
  const log = useLogLines();

  const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
  const statusOf = async (pk: string) => orderOf(await functions.invokeHttp("getOrder", getOrderEvent(pk))).status;
  const metric = (name: string) => log.metrics.flatMap((line) => line[name] ?? []);

  /** Adds to a stream past the gateway until it is above the limit of a record. */
  async function fillStream(stream: string): Promise<void> {
    const field = "x".repeat(100_000);
    for (let bytes = 0; bytes <= RECORD_BYTES; bytes += field.length) {
      await redis.client.xAdd(stream, "*", { field });
    }
  }

  describe("while order_completed is full", () => {
    test("an order stays pending and readable, and is completed once there is space", async () => {
      // given
      const { pk } = orderOf(await place());
      await redis.client.zAdd("orders:pending", { value: pk, score: 0 });
      await fillStream("order_completed");

      // when
      await expect(functions.invokeJob("completeOrder", { pk })).rejects.toMatchObject({ code: "redis_failed" });
      await expect(functions.invokeJob("sweepOrders", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

      // then
      expect(await statusOf(pk)).toBe("pending");
      expect(log.text).toContain("ERR max single record size exceeded");
      expect(metric("OverdueOrders")).toEqual([1]);

      // when
      await redis.client.xTrim("order_completed", "MAXLEN", 0);
      await functions.invokeJob("sweepOrders", {}, PLENTY);

      // then
      expect(await statusOf(pk)).toBe("completed");
    });
  });

  describe("while refund_order:dead is full", () => {
    test("refund requests wait, none is acknowledged, and they are settled once there is space", async () => {
      // given
      const pk = await storeOrder(redis.client, "completed");
      await redis.client.xAdd("refund_order", "*", { note: "no pk" });
      await redis.client.xAdd("refund_order", "*", { pk });
      await fillStream("refund_order:dead");

      // when
      await expect(functions.invokeJob("drainRefunds", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

      // then
      expect(await statusOf(pk)).toBe("completed");
      expect(await redis.client.xPending("refund_order", "payment-group")).toMatchObject({ pending: 2 });
      expect(metric("RefundBacklog")).toEqual([2]);
      expect(metric("RefundDeadLetters")).toEqual([await redis.client.xLen("refund_order:dead")]);

      // when
      await redis.client.xTrim("refund_order:dead", "MAXLEN", 0);
      await makeReclaimable();
      await functions.invokeJob("drainRefunds", {}, PLENTY);

      // then
      expect(await statusOf(pk)).toBe("refunded");
      expect(await redis.client.xLen("refund_order:dead")).toBe(1);
    });
  });

  test("while the database is full orders can be read, POST gets 500, and all goes on once there is space", async () => {
    // given
    const { pk } = orderOf(await place());
    await redis.client.zAdd("orders:pending", { value: pk, score: 0 });
    for (let n = 0; n < 20; n += 1) await redis.client.set(`filler:${n}`, Buffer.alloc(MIB));

    // when
    const refused = await place();
    await expect(functions.invokeJob("sweepOrders", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

    // then
    expect(refused.statusCode).toBe(500);
    expect(await statusOf(pk)).toBe("pending");
    expect(log.text).toContain("ERR DB capacity quota exceeded");
    expect(metric("OverdueOrders")).toEqual([1]);
    expect(await redis.client.zCard("orders:pending")).toBe(1);

    // when
    for (let n = 0; n < 20; n += 1) await redis.client.del(`filler:${n}`);
    await expect.poll(async () => (await place()).statusCode).toBe(200);
    await functions.invokeJob("sweepOrders", {}, PLENTY);

    // then
    expect(await statusOf(pk)).toBe("completed");
  });

  test("a consumer that may take no more entries settles those that it has, and then takes new ones", async () => {
    // given: what Upstash does at 1,000 pending entries (https://upstash.com/docs/redis/troubleshooting/stream_pel_limit)
    const [held = "", fresh = ""] = await storeOrders(redis.client, 2);
    await redis.client.xGroupCreate("refund_order", "payment-group", "0", { MKSTREAM: true });
    await redis.client.xAdd("refund_order", "*", { pk: held });
    await redis.client.xReadGroup("payment-group", "drain-refunds", { key: "refund_order", id: ">" });
    await redis.client.xAdd("refund_order", "*", { pk: fresh });
    await makeReclaimable();
    const allow = await forbid(redis.client, "xreadgroup");

    // when
    await expect(functions.invokeJob("drainRefunds", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

    // then
    expect([await statusOf(held), await statusOf(fresh)]).toEqual(["refunded", "pending"]);

    // when
    await allow();
    await functions.invokeJob("drainRefunds", {}, PLENTY);

    // then
    expect(await statusOf(fresh)).toBe("refunded");
  });

  /** Makes what is pending as old as a poller's longest run. */
  async function makeReclaimable(): Promise<void> {
    for (const { id } of await redis.client.xPendingRange("refund_order", "payment-group", "-", "+", 1_000)) {
      const claim = ["XCLAIM", "refund_order", "payment-group", "dead", "0", id, "IDLE", "60000", "JUSTID"];
      await redis.client.sendCommand(claim);
    }
  }
});
