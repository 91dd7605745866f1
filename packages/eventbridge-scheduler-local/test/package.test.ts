import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { CreateScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { expect, onTestFinished, test } from "vitest";
import { usePackedPackage } from "../../packed-package.ts";
import { schedule, target } from "./harness.ts";

const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:greet";

const { packagingProblems, readmeProgram, checkTypes, startProgram, start, cli } = usePackedPackage(
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

test("publint and attw find nothing", async () => {
  expect(await packagingProblems()).toEqual([]);
});

test("the README's program is typed, its schedule fires, and it ends", async () => {
  const { port } = new URL((await receiver()).url);
  const program = (await readmeProgram()).replaceAll("8000", String(Number(port) + 1));
  await checkTypes(program);
  const { stdout } = await startProgram(program);
  expect(await text(stdout)).toBe('{"hello":"world"}\n');
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
  const [help, version, ...refusals] = await Promise.all([
    cli("-h"),
    cli("-v"),
    cli("--lambda", "http://127.0.0.1:3002"),
    cli("--lambda-endpoint", "localhost"),
    cli("--target", "greet"),
    cli("--port=", "--account", "1", "--error-rate", "2"),
    cli(),
    cli("--target", `${ARN}=http://127.0.0.1:1`, "--port", port),
  ]);
  expect(version).toEqual({ code: 0, output: "0.1.0\n" });
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
      "--account must have 12 digits; --port must be a port number; --error-rate must be a number from 0 to 1",
      "Set --lambda-endpoint",
    ].map((problem) => line(2, `${problem}.*Run with --help for the options.`)),
    line(1, `Cannot listen on port ${port}: .*EADDRINUSE.*`),
  ]);
});
