import { startApiGateway } from "../../../test/lambda/api-gateway.ts";
import { drive, type Load } from "../load.ts";
import { ORDER, storeCompletedOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { MeasuredStack } from "../stack.ts";
import { percentile } from "../statistics.ts";
import type { Measure } from "./measure.ts";

/** Instances of each function: more than a machine of two cores can keep busy. */
export const INSTANCES = 4;

/** One front process that hands requests to instances, with the functions behind it and with the empty handler. */
export const measureThroughput: Measure = async (stack, { throughput, typical }) => {
  const [pk = ""] = await storeCompletedOrders(stack.redis, 1);
  const body = JSON.stringify({ id: ORDER.product_id, quantity: ORDER.quantity });
  await using empty = await emptyFront(stack);
  const cases = [
    { name: "GET /orders/{pk}", path: `/orders/${pk}`, request: { method: "GET" } },
    {
      name: "POST /orders",
      path: "/orders",
      request: { method: "POST", headers: { "content-type": "application/json" }, body },
    },
  ] as const;
  const rows: Row[] = [];
  for (const { name, path, request } of cases) {
    const load = (front: string, connections: number, until: { duration: number } | { amount: number }) =>
      drive({ url: `${front}${path}`, connections, ...until, ...request });
    const amount = throughput.warmUp * INSTANCES;
    for (const front of [stack.apiUrl, empty.url]) await load(front, INSTANCES, { amount });
    for (const clients of throughput.clients) {
      const subject: Load[] = [];
      const floor: Load[] = [];
      for (let round = 0; round < throughput.rounds; round += 1) {
        subject.push(await load(stack.apiUrl, clients, { duration: throughput.seconds }));
        floor.push(await load(empty.url, clients, { duration: throughput.seconds }));
      }
      const rate = (loads: Load[]) => 1 / typical(loads.map(({ perSecond }) => 1 / perSecond));
      const p99 = (loads: Load[]) => typical(loads.map(({ latenciesMs }) => percentile(latenciesMs, 99)));
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
