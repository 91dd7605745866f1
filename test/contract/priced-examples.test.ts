import { expect, test } from "vitest";
import { expectPromised, PLACE, promisedBy, send } from "../support/examples.ts";
import { useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { useRedis } from "../support/redis.ts";

const inventory = useInventory();
const functions = useFunctions(useRedis(), inventory);
useLogLines();

test.for(promisedBy(PLACE).filter((example) => example["x-inventory"]))(
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
