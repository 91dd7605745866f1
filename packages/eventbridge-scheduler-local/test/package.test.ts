import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { CreateScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import getPort from "get-port";
import { expect, test } from "vitest";
import { usePackedPackage } from "../../packed-package.ts";
import { schedule, target } from "./harness.ts";
import { startLambdaEndpoint } from "./lambda-endpoint.ts";

const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:greet";

const { packagingProblems, readmeProgram, checkTypes, startProgram, start, cli } = usePackedPackage(
  "eventbridge-scheduler-local",
  "@aws-sdk/client-scheduler",
);

test("publint and attw find nothing", async () => {
  expect(await packagingProblems()).toEqual([]);
});

test("the README's program is typed, its schedule fires, and it ends", async () => {
  const program = (await readmeProgram()).replaceAll("8000", String(await getPort({ host: "127.0.0.1" })));
  await checkTypes(program);
  const { stdout } = await startProgram(program);
  expect(await text(stdout)).toBe('{"hello":"world"}\n');
});

test("its command starts a Scheduler for the official client, and ends at once on Ctrl-C", async () => {
  await using receiver = await startLambdaEndpoint();
  const child = start("--target", `${ARN}=${receiver.url}/greet`, "--group", "night", "--port", "0");
  const [line] = await once(createInterface(child.stdout), "line");
  const endpoint = String(line).replace("AWS_ENDPOINT_URL_SCHEDULER=", "");
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new SchedulerClient({ endpoint, region: "eu-central-1", credentials });

  const input = schedule("hello", { GroupName: "night", Target: target({ Arn: ARN }) }, Date.now() + 2000);
  await client.send(new CreateScheduleCommand(input));
  await expect.poll(() => receiver.invocations, { timeout: 10_000 }).toMatchObject([{ payload: '{"pk":"1"}' }]);

  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("--help lists the options, and wrong ones and a port in use are errors in one line", async () => {
  await using other = await startLambdaEndpoint();
  const port = String(other.port);
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
