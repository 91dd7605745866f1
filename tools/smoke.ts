import { randomUUID } from "node:crypto";
import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { z } from "zod";
import { reasonOf } from "../local/error-reason.ts";
import { Failure, type Outcome, parseOptions, printLine, runTool } from "./command.ts";
import { orderService } from "./order-service.ts";

const USAGE = `npm run smoke -- <url>
npm run smoke -- --stage dev [--region eu-central-1]

Places an order at a running service, local or deployed, and waits until it is completed.

  <url>            the address of the API, such as http://localhost:3000
  --stage <name>   looks the address up: the output HttpApiUrl of the CloudFormation stack orders-<name>
  --region <name>  where that stack is (AWS_REGION, or else eu-central-1)
  --product <id>   what to order (smoke-test): with an inventory, one of its products
  --timeout <n>    seconds to wait (150): AWS may fire a schedule 60 s late, and the sweep takes over after 60 s more

SMOKE_AUTHORIZATION is sent as the Authorization header. Ends with 0 when the order is completed, 1 when it is not.
`;

const Options = z
  .object({
    positionals: z.array(z.url({ protocol: /^https?$/, error: "the address must be http:// or https://" })).max(1),
    stage: z.string().min(1).optional(),
    region: z
      .string()
      .min(1)
      .default(process.env.AWS_REGION || "eu-central-1"),
    product: z.string().min(1).default("smoke-test"),
    timeout: z.coerce.number().positive().default(150),
  })
  .refine(({ positionals, stage }) => (positionals.length === 1) !== (stage !== undefined), {
    path: ["stage"],
    error: "give either the address of the API or --stage",
  });

await runTool({ usage: USAGE, readOptions: (args) => parseOptions(Options, args), run: smoke });

/** @throws Failure at the first thing that is not as it should be */
async function smoke({ positionals: [url], ...options }: z.infer<typeof Options>): Promise<Outcome> {
  const { stage = "", region, product, timeout } = options;
  const service = orderService(
    (url ?? (await deployedUrl(stage, region))).replace(/\/+$/, ""),
    "check the address, and that the service is deployed or started",
    "set SMOKE_AUTHORIZATION to an Authorization header that the API accepts",
    process.env.SMOKE_AUTHORIZATION,
  );
  const startedAt = performance.now();
  const placed = await service.place({ id: product, quantity: 1 }, randomUUID());
  const { pk, created_at } = placed.order;
  printLine(`placed     ${pk} in ${Math.round(performance.now() - startedAt)} ms`);
  const completedAt = await service.follow(placed, {
    find: ({ completed_at }) => completed_at,
    timeoutMs: timeout * 1_000,
    timeoutMessage: () => `Order ${pk} is not completed after ${timeout} s`,
    // It proves nothing: a replica may not have the order yet, and the API may throttle.
    onFailure: ({ message }) => printLine(`retrying   ${message}`),
  });
  const seconds = (Date.parse(completedAt) - Date.parse(created_at)) / 1_000;
  return { output: `completed  ${seconds.toFixed(1)} s after it was placed\n` };
}

/**
 * The address of a deployed API: osls adds the output HttpApiUrl to the stack of a service with an HTTP API.
 * @throws Failure when there is no such stack, or it cannot be read
 */
async function deployedUrl(stage: string, region: string): Promise<string> {
  const name = `orders-${stage}`;
  const deploy = `deploy it with npx serverless deploy --stage ${stage} --region ${region}, or give the address`;
  const command = new DescribeStacksCommand({ StackName: name });
  const { Stacks } = await new CloudFormationClient({ region }).send(command).catch((cause: unknown) => {
    throw new Failure(`Cannot find stack ${name} in ${region} (${reasonOf(cause)}): ${deploy}`, { cause });
  });
  const url = Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === "HttpApiUrl")?.OutputValue;
  if (url === undefined) throw new Failure(`Stack ${name} in ${region} has no output HttpApiUrl: ${deploy}`);
  printLine(`stack      ${name} in ${region}: ${url}`);
  return url;
}
