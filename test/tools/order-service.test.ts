import { expect, test } from "vitest";
import { orderService } from "../../tools/order-service.ts";
import { newPk } from "../support/orders.ts";
import { answering } from "../support/servers.ts";

test("an order is read when the last reply said so, and a failed read waits as long", async () => {
  // given
  const order = { pk: newPk(), product_id: "tea", quantity: 1, created_at: "2026-11-23T06:00:00.000Z" };
  const completed_at = "2026-11-23T06:00:05.612Z";
  const replies = [
    { status: 200, retryAfter: "1", body: { ...order, status: "pending" } },
    { status: 200, retryAfter: "2", body: { ...order, status: "pending" } },
    { status: 503, body: { message: "Service Unavailable" } },
    { status: 200, body: { ...order, status: "completed", completed_at } },
  ];
  const times: number[] = [];
  const url = await answering((_, response) => {
    const { status, retryAfter, body } = replies[times.push(performance.now()) - 1] ?? { status: 500, body: {} };
    response.writeHead(status, retryAfter ? { "retry-after": retryAfter } : {}).end(JSON.stringify(body));
  });
  const service = orderService(url, "start it");
  const failures: string[] = [];

  // when
  const found = await service.follow(await service.place({ id: "tea", quantity: 1 }, "a-key-of-the-client"), {
    find: (read) => read.completed_at,
    timeoutMs: 60_000,
    timeoutMessage: () => "late",
    onFailure: ({ message }) => failures.push(message),
  });

  // then
  const pauses = times.map((time, at) => Math.round((time - (times[at - 1] ?? time)) / 1_000));
  expect(found).toBe(completed_at);
  expect(failures).toEqual([expect.stringContaining("replied 503")]);
  expect(pauses.map((pause, at) => pause >= ([0, 1, 2, 2][at] ?? Number.NaN))).toEqual([true, true, true, true]);
});
