import autocannon, { type Result } from "autocannon";
import { startApiGateway } from "../../lambda/api-gateway.ts";
import { ORDER, storeCompletedOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { MeasuredStack } from "../stack.ts";
import { median } from "../statistics.ts";
import type { Measure } from "./measure.ts";

/** Instances of each function: more than a machine of two cores can keep busy. */
export const INSTANCES = 4;

/** One front process that hands requests to instances, with the functions behind it and with the empty handler. */
export const measureThroughput: Measure = async (stack, { throughput }) => {
  const [pk = ""] = await storeCompletedOrders(stack.redis, 1);
  const body = JSON.stringify({ id: ORDER.product_id, quantity: ORDER.quantity });
  await using empty = await emptyFront(stack);
  const cases = [
    { name: "GET /orders/{pk}", path: `/orders/${pk}`, request: {} },
    {
      name: "POST /orders",
      path: "/orders",
      request: { method: "POST", headers: { "content-type": "application/json" }, body },
    },
  ] as const;
  const rows: Row[] = [];
  for (const { name, path, request } of cases) {
    const load = (front: string, connections: number, until: { duration: number } | { amount: number }) =>
      drive({ url: `${front}${path}`, connections, workers: 1, ...until, ...request });
    const amount = throughput.warmUp * INSTANCES;
    for (const front of [stack.apiUrl, empty.url]) await load(front, INSTANCES, { amount });
    for (const clients of throughput.clients) {
      const subject: Result[] = [];
      const floor: Result[] = [];
      for (let round = 0; round < throughput.rounds; round += 1) {
        subject.push(await load(stack.apiUrl, clients, { duration: throughput.seconds }));
        floor.push(await load(empty.url, clients, { duration: throughput.seconds }));
      }
      const rate = (results: Result[]) => median(results.map(({ requests }) => requests.average));
      const p99 = (results: Result[]) => median(results.map(({ latency }) => latency.p99));
      const shared = { group: "throughput", name, at: clients };
      const measure = `${name}, ${clients} ${clients === 1 ? "client" : "clients"}`;
      rows.push(row({ ...shared, measure, unit: "/s", subject: rate(subject), floor: rate(floor) }));
      rows.push(
        row({
          ...shared,
          measure: `${measure}, p99`,
          percent: 99,
          unit: "ms",
          subject: p99(subject),
          floor: p99(floor),
        }),
      );
    }
  }
  return rows;
};

async function emptyFront(stack: MeasuredStack) {
  const front = await startApiGateway((method, path) => {
    const route = stack.route(method, path);
    return route && { ...route, functionName: "emptyFloor" };
  }, stack.invoke);
  return { url: front.url, [Symbol.asyncDispose]: () => front.stop() };
}

/** @throws Error when a request failed: refusals are fast */
async function drive(options: autocannon.Options): Promise<Result> {
  const result = await autocannon(options);
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) throw new Error(`${failed} requests to ${options.url} failed`);
  return result;
}
