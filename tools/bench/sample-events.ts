import { sampleEvent } from "../../test/support/events.ts";
import { getOrderEvent, httpEvent, placeOrderEvent } from "../../test/support/http-event.ts";
import { readServerlessYml } from "../../test/support/serverless-yml.ts";
import { ORDER, storeCompletedOrders } from "./orders.ts";
import type { MeasuredStack } from "./stack.ts";

/** An event for every function of serverless.yml, which it can handle again and again, by the function's name. */
export async function sampleEvents({ redis }: MeasuredStack): Promise<[string, unknown][]> {
  const [pk = ""] = await storeCompletedOrders(redis, 1);
  const own: Record<string, unknown> = {
    getOrder: getOrderEvent(pk),
    createOrder: placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity }),
    completeOrder: { pk },
    // A preflight: the sample of events/ is refused.
    unknownRoute: httpEvent({ routeKey: "$default", method: "OPTIONS", path: "/orders" }),
  };
  const { functions } = await readServerlessYml();
  return Promise.all(
    Object.keys(functions).map(
      async (name): Promise<[string, unknown]> => [name, own[name] ?? (await sampleEvent(name))],
    ),
  );
}
