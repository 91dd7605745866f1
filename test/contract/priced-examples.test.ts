import { expect, test } from "vitest";
import { expectPromised, PLACE, promisedBy, send } from "../support/examples.ts";
import { useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { useRedis } from "../support/redis.ts";

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
