import { expect, test, vi } from "vitest";
import { z } from "zod";
import { bundle } from "../support/bundle.ts";
import { useFunctions } from "../support/functions.ts";
import { placeOrderEvent } from "../support/http-event.ts";
import { lambdaContext } from "../support/lambda-context.ts";
import { useLogLines } from "../support/log-lines.ts";
import { useRedis } from "../support/redis.ts";

type Handler = (event: unknown, context: unknown) => Promise<unknown>;
const Module = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });

useFunctions(useRedis());
const log = useLogLines();

test("the bundle of createOrder without credentials in its environment says where it looks for them", async () => {
  // given
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  await using built = await bundle("functions/create-order.ts");
  const { handler } = Module.parse(await import(built.path));

  // when
  const reply = await handler(placeOrderEvent({ id: "tea-green", quantity: 2 }), lambdaContext("createOrder"));

  // then
  expect(reply).toMatchObject({ statusCode: 200 });
  expect(log.text).toContain("is not in this bundle: credentials come from the environment");
});
