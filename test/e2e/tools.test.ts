import { json } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { newPk } from "../support/orders.ts";
import { runScript } from "../support/run.ts";
import { answering } from "../support/servers.ts";
import { sharedService } from "./service.ts";

const PK = "[0-7][0-9A-HJKMNP-TV-Z]{25}";
const TERMINAL_SEQUENCES = /\p{Cc}(?<!\n)/u;

/** Only root could listen on it, and no system serves HTTP there. */
const CLOSED_PORT = "1";

const service = sharedService();

const { scripts } = z.object({ scripts: z.object({ demo: z.string() }) }).parse(manifest);
const DEMO = scripts.demo.split("tools/smoke.ts ")[1]?.split(" ") ?? [];

describe("the demo", () => {
  const demo = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    runScript("tools/smoke.ts", [...DEMO, ...args], { ...service.env, NO_COLOR: undefined, FORCE_COLOR: "", ...env });
  const pksIn = (output: string, state: string) =>
    [...output.matchAll(new RegExp(`^${state} +(${PK})  `, "gm"))].map(([, pk]) => pk ?? "");

  test("shows every order placed, completed and refunded, then the streams, in plain lines", async () => {
    const { code, stdout, stderr } = await demo(["--orders", "20"], { FORCE_COLOR: "1" });

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toMatch(TERMINAL_SEQUENCES);
    const pks = pksIn(stdout, "placed");
    expect(new Set(pks).size).toBe(20);
    expect(pksIn(stdout, "replayed")).toEqual(pks.slice(0, 1));
    expect(pksIn(stdout, "completed").sort()).toEqual(pks.toSorted());
    expect(pksIn(stdout, "refunded").sort()).toEqual(pks.toSorted());
    const announced = [
      ...stdout.matchAll(new RegExp(`^\\| \\d+-\\d+ \\| (${PK}) \\| tea-green +\\| +\\d+ +\\| completed \\|$`, "gm")),
    ];
    expect(announced.map(([, pk]) => pk).sort()).toEqual(pks.toSorted());
    expect(stdout).toMatch(new RegExp(`^\\| \\d+-\\d+ \\| ${PK} \\| unknown_order \\| \\d+-\\d+ \\|$`, "m"));
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(
      /^Total: 20 placed, 1 replayed, 20 completed, 20 refunded, 1 dead letter, in \d+\.\d s$/,
    );
  });

  test("names every order that is late, and ends with 1", async () => {
    // Orders complete after 5 seconds, never before.
    const { code, stdout, stderr } = await demo(["--orders", "2", "--timeout", "1"]);

    expect(code).toBe(1);
    const reasons = pksIn(stdout, "placed").map((pk) => `Order ${pk} is still pending, not completed, after 1 s`);
    expect(reasons).toHaveLength(2);
    for (const reason of reasons) expect(stderr).toContain(reason);
    expect(stdout).not.toContain("Total");
  });

  test.for<[NodeJS.ProcessEnv, RegExp]>([
    [
      { ORDERS_UPSTASH_PORT: CLOSED_PORT },
      /^Cannot use Redis at http:\/\/127\.0\.0\.1:1 \(.+\): start it with `npm start` .+ ORDERS_UPSTASH_PORT/,
    ],
    [
      { ORDERS_API_PORT: CLOSED_PORT },
      /^No order service answers at http:\/\/localhost:1 \(.+\): start it with `npm start`/,
    ],
    [
      { ORDERS_API_PORT: service.env.ORDERS_SCHEDULER_PORT },
      /^The service replied 403 at \S+, with neither an order nor a problem document: start it with `npm start`/,
    ],
  ])("with %j, says what to do before it places an order", async ([env, message]) => {
    const { code, stdout, stderr } = await demo([], env);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("the smoke test", () => {
  const smoke = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    runScript("tools/smoke.ts", args, { ...process.env, ...env });

  /** CloudFormation's Query API, with one stack (https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html). */
  const cloudFormation = (outputs: string) =>
    answering((_, response) =>
      response
        .setHeader("content-type", "text/xml")
        .end(
          `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>orders-dev</StackName><Outputs>${outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
        ),
    );
  const awsAt = (url: string) => ({
    AWS_ENDPOINT_URL_CLOUDFORMATION: url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });

  test("passes at a stage whose address it looks up: the order is placed and completed", async () => {
    const output = `<member><OutputKey>HttpApiUrl</OutputKey><OutputValue>${service.api}</OutputValue></member>`;

    const { code, stdout, stderr } = await smoke(["--stage", "dev"], awsAt(await cloudFormation(output)));

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^stack {6}orders-dev {2}in \S+: http:\S+\nplaced {5}(\w{26}) {2}smoke-test ×1, in \d+ ms\nreplayed {3}\1 {2}.+\ncompleted {2}\1 {2}[5-9]\.\d s after it was placed\n\nTotal: 1 placed, 1 replayed, 1 completed, in .+ s\n$/,
    );
  });

  test("says what to do when the stack has no address", async () => {
    const { code, stderr } = await smoke(["--stage", "dev", "--region", "eu-west-1"], awsAt(await cloudFormation("")));

    expect(code).toBe(1);
    expect(stderr).toMatch(/^Stack orders-dev in eu-west-1 has no output HttpApiUrl: deploy it with .+\n$/);
  });

  test("orders the product and sends the header that it is given", async () => {
    let [order, authorization]: unknown[] = [];
    const url = await answering(async (request, response) => {
      [order, authorization] = [await json(request), request.headers.authorization];
      response.writeHead(422).end();
    });

    await smoke([url, "--product", "tea-green"], { SMOKE_AUTHORIZATION: "Bearer x" });

    expect([order, authorization]).toEqual([{ id: "tea-green", quantity: 1 }, "Bearer x"]);
  });

  test("fails when the same request makes a second order", async () => {
    const order = { product_id: "smoke-test", quantity: 1, status: "pending", created_at: new Date().toISOString() };
    const url = await answering((_, response) => response.end(JSON.stringify({ pk: newPk(), ...order })));

    const { code, stderr } = await smoke([url]);

    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^Order \w{26} was not replayed\n$/) });
  });

  test.for([
    [401, / and requires a token: set SMOKE_AUTHORIZATION to .+\n$/],
    [404, /, with neither an order nor a problem document: check the address, .+\n$/],
  ] as const)("explains API Gateway's own %i in one line", async ([status, end]) => {
    const url = await answering((_, response) => response.writeHead(status).end('{"message":"No"}'));

    const { code, stderr } = await smoke([url]);

    expect(code).toBe(1);
    expect(stderr).toContain(`The service replied ${status} at ${url}/orders`);
    expect(stderr).toMatch(end);
  });
});

test.for(["tools/smoke", "tools/dead-letters/command", "lab/chaos/main", "lab/bench/main", "lab/cost/main"])(
  "%s.ts --help prints its usage and ends with 0",
  async (tool) => {
    const { code, stdout, stderr } = await runScript(`${tool}.ts`, ["--help"], process.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^npm run \S+ -- /);
  },
);

test.for([
  ["smoke", ["--local", "--orders", "0"], "--orders: "],
  ["smoke", ["--local", "--order", "2"], "Unknown option '--order'"],
  ["smoke", [], "--stage"],
  ["smoke", ["not an address"], "http"],
  ["smoke", ["http://localhost:1", "--stage", "dev"], "--stage"],
  ["smoke", ["--stage", "dev", "--local"], "--stage"],
] as const)("%s rejects the arguments %j with the usage", async ([tool, args, reason]) => {
  const { code, stderr } = await runScript(`tools/${tool}.ts`, args, process.env);
  expect(code).toBe(2);
  expect(stderr).toContain(reason);
  expect(stderr).toContain(`npm run ${tool} -- `);
});
