import { Redis } from "@upstash/redis";
import { expect, onTestFinished, test } from "vitest";
import { useRedis } from "./redis.ts";
import { TOKEN, useGateway } from "./use-gateway.ts";

const redis = useRedis();
const gateway = useGateway(redis);

const client = () => new Redis({ ...gateway.clientConfig, enableTelemetry: false });

test("the official client hears what is published on a channel and to a pattern, until it unsubscribes", async () => {
  const channel = client().subscribe(["orders:new"]);
  const pattern = client().psubscribe("orders:*");
  onTestFinished(async () => void (await Promise.all([channel.unsubscribe(), pattern.unsubscribe()])));
  const heard: unknown[] = [];
  channel.on("message", ({ channel, message }) => heard.push({ channel, message }));
  pattern.on("pmessage", (message) => heard.push(message));
  const subscribed = new Promise((resolve) => channel.on("subscribe", resolve));
  await new Promise((resolve) => pattern.on("psubscribe", resolve));
  expect(await subscribed).toBe(1);

  const message = { text: "a, b" };
  expect(await client().publish("orders:new", message)).toBe(2);

  await expect.poll(() => heard).toHaveLength(2);
  const event = { channel: "orders:new", message };
  expect(heard).toEqual(expect.arrayContaining([event, { pattern: "orders:*", ...event }]));
  await channel.unsubscribe();
  await expect.poll(() => redis.client.pubSubNumSub(["orders:new"])).toEqual({ "orders:new": 0 });
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
