import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { expectProblem } from "../support/problems.ts";

const PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";
/** One, and four retries: with its pauses and time-outs (lib/redis/pipeline.ts) that ends within 4 seconds. */
const MOST_ATTEMPTS = 5;
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
  expect(functions.upstash.requests.length).toBeLessThanOrEqual(MOST_ATTEMPTS);
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
