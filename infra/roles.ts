import { arnOf, functionId, logGroupId, ownArn, reference, roleId } from "./logical-ids.ts";
import type { Parameters } from "./parameters.ts";
import { FUNCTIONS } from "./serverless-yml.ts";

/** Without the condition the schedules' role could be passed to any service that trusts it. */
const MAKE_SCHEDULES = [
  {
    Effect: "Allow",
    Action: "scheduler:CreateSchedule",
    Resource: ownArn("scheduler", `schedule/${reference("CompletionSchedules")}/*`),
  },
  {
    Effect: "Allow",
    Action: "iam:PassRole",
    Resource: arnOf("CompletionSchedulerRole"),
    Condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
  },
];

/** Lambda delivers to an on-failure destination with the rights of the function's role. */
const REPORT_FAILURES = [{ Effect: "Allow", Action: "sqs:SendMessage", Resource: arnOf("FailedInvocations") }];

/** X-Ray's actions accept no resource (Service Authorization Reference, "AWS X-Ray"). */
const WRITE_TRACES = {
  Effect: "Allow",
  Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  Resource: "*",
};

/** The rights of a function besides writing its own log, and traces if there are any. */
const GRANTS: Readonly<Record<string, readonly object[]>> = {
  createOrder: MAKE_SCHEDULES,
  completeOrder: REPORT_FAILURES,
  drainRefunds: REPORT_FAILURES,
  sweepOrders: REPORT_FAILURES,
};

/** One role per function: a vulnerable function exposes only its own rights. */
export const roleResources = ({ tracing }: Parameters) =>
  Object.fromEntries(FUNCTIONS.map((name) => [roleId(name), role(name, tracing === "Active" ? [WRITE_TRACES] : [])]));

const role = (name: string, traces: readonly object[]) => ({
  Type: "AWS::IAM::Role",
  Properties: {
    Description: { "Fn::Sub": `What ${name} of ${reference("AWS::StackName")} may do` },
    AssumeRolePolicyDocument: {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
    },
    Policies: [
      {
        PolicyName: functionId(name),
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: [writeLog(name), ...traces, ...(GRANTS[name] ?? [])],
        },
      },
    ],
  },
});

/** Not `logs:CreateLogGroup`: the stack creates the group with a retention. A group that Lambda creates is kept forever. */
const writeLog = (name: string) => ({
  Effect: "Allow",
  Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
  Resource: arnOf(logGroupId(name)),
});
