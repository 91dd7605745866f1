import { Redis } from "@upstash/redis";
import { expect, onTestFinished, test, vi } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { TOKEN, useGateway } from "./use-gateway.ts";

const redis = useRedis();
const gateway = useGateway(redis);

const client = () => new Redis({ ...gateway.clientConfig, enableTelemetry: false });

test("the official client hears what is published on a channel, until it unsubscribes", async () => {
  const heard: unknown[] = [];
  const subscriber = client().subscribe(["orders:new"]);
  onTestFinished(() => subscriber.unsubscribe());
  subscriber.on("message", ({ channel, message }) => heard.push([channel, message]));
  const subscribed = new Promise((resolve) => subscriber.on("subscribe", resolve));
  expect(await subscribed).toBe(1);

  expect(await client().publish("orders:new", { text: "a, b" })).toBe(1);

  await vi.waitFor(() => expect(heard).toEqual([["orders:new", { text: "a, b" }]]));
  await subscriber.unsubscribe();
  await expect.poll(() => redis.client.pubSubNumSub(["orders:new"])).toEqual({ "orders:new": 0 });
});

test("a pattern hears every channel that it matches", async () => {
  const heard: unknown[] = [];
  const subscriber = client().psubscribe("news:*");
  onTestFinished(() => subscriber.unsubscribe());
  subscriber.on("pmessage", (message) => heard.push(message));
  await new Promise((resolve) => subscriber.on("psubscribe", resolve));

  await client().publish("news:sport", { score: "1:0" });

  await vi.waitFor(() =>
    expect(heard).toEqual([{ pattern: "news:*", channel: "news:sport", message: { score: "1:0" } }]),
  );
});

test("a message of several lines is one event", async () => {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const headers = { authorization: `Bearer ${TOKEN}` };
  const reply = await fetch(`${gateway.url}/subscribe/lines`, { headers, signal: controller.signal });
  expect(reply.headers.get("content-type")).toContain("text/event-stream");
  const events = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await events?.read())?.value).toBe("data: subscribe,lines,1\n\n");

  await redis.client.publish("lines", "one\ntwo");

  expect((await events?.read())?.value).toBe("data: message,lines,one\ndata: two\n\n");
});

test("without a token there is no subscription", async () => {
  expect((await fetch(`${gateway.url}/subscribe/channel`)).status).toBe(401);
});
