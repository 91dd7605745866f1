import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { CreateScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { expect, onTestFinished, test } from "vitest";
import { usePackedPackage } from "../../packed-package.ts";
import { schedule, target } from "./harness.ts";

const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:greet";

const { readmeProgram, checkTypes, startProgram, start, cli } = usePackedPackage(
  "eventbridge-scheduler-local",
  "@aws-sdk/client-scheduler",
);

/** An HTTP target, and the first event that it gets. */
async function receiver() {
  const event = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    event.resolve(await text(request));
    response.end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}/greet`, event: event.promise };
}

test("the README's program is typed, and its schedule fires", async () => {
  const { url, event } = await receiver();
  const program = (await readmeProgram()).replace("http://127.0.0.1:8000/greet", url);
  await checkTypes(program);
  await startProgram(program);
  expect(await event).toBe('{"hello":"world"}');
});

test("its command starts a Scheduler for the official client, and ends at once on Ctrl-C", async () => {
  const { url, event } = await receiver();
  const child = start("--target", `${ARN}=${url}`, "--group", "night", "--port", "0");
  const [line] = await once(createInterface(child.stdout), "line");
  const endpoint = String(line).replace("AWS_ENDPOINT_URL_SCHEDULER=", "");
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new SchedulerClient({ endpoint, region: "eu-central-1", credentials });

  const input = schedule("hello", { GroupName: "night", Target: target({ Arn: ARN }) }, Date.now() + 2000);
  await client.send(new CreateScheduleCommand(input));
  expect(await event).toBe('{"pk":"1"}');

  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("--help lists the options, and wrong ones and a port in use are errors in one line", async () => {
  const { port } = new URL((await receiver()).url);
  const [help, ...refusals] = await Promise.all([
    cli("--help"),
    cli("--lambda", "http://127.0.0.1:3002"),
    cli("--lambda-endpoint", "localhost"),
    cli("--target", "greet"),
    cli(),
    cli("--target", `${ARN}=http://127.0.0.1:1`, "--port", port),
  ]);
  expect(help).toEqual({ code: 0, output: expect.stringContaining("--lambda-endpoint <url>") });
  const line = (code: number, pattern: string) => ({
    code,
    output: expect.stringMatching(new RegExp(`^${pattern}\n$`)),
  });
  expect(refusals).toEqual([
    ...[
      "Unknown option '--lambda'",
      "--lambda-endpoint must be",
      "--target must be <arn>=<url>",
      "Set --lambda-endpoint",
    ].map((problem) => line(2, `${problem}.*Run with --help for the options.`)),
    line(1, `Cannot listen on port ${port}: .*EADDRINUSE.*`),
  ]);
});
