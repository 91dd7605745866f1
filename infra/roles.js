import { FUNCTIONS, functionId, logGroupId, roleId } from "./functions.js";
import { ownArn, reference } from "./references.js";

/** Passing the role of the schedules on needs a condition: without one it could be passed to any service that trusts it. */
const MAKE_SCHEDULES = [
  {
    Effect: "Allow",
    Action: "scheduler:CreateSchedule",
    Resource: ownArn("scheduler", `schedule/${reference("CompletionSchedules")}/*`),
  },
  {
    Effect: "Allow",
    Action: "iam:PassRole",
    Resource: { "Fn::GetAtt": ["CompletionSchedulerRole", "Arn"] },
    Condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
  },
];

/** Lambda itself delivers to an on-failure destination with the rights of the function's role. */
const REPORT_FAILURES = [
  { Effect: "Allow", Action: "sqs:SendMessage", Resource: { "Fn::GetAtt": ["FailedInvocations", "Arn"] } },
];

/** The one action for which AWS takes no resource (Service Authorization Reference, "AWS X-Ray"). */
const WRITE_TRACES = {
  Effect: "Allow",
  Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  Resource: "*",
};

/** What a function may do besides writing its own log and traces. */
const GRANTS = {
  createOrder: MAKE_SCHEDULES,
  completeOrder: REPORT_FAILURES,
  drainRefunds: REPORT_FAILURES,
  sweepOrders: REPORT_FAILURES,
};

/** A role a function: a hole in one function opens what that function may do, and nothing else. */
export const resources = {
  Resources: Object.fromEntries(FUNCTIONS.map((name) => [roleId(name), role(name)])),
};

function role(name) {
  return {
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
            Statement: [writeLog(name), WRITE_TRACES, ...(GRANTS[name] ?? [])],
          },
        },
      ],
    },
  };
}

/** Not `logs:CreateLogGroup`: the stack makes the group, with a retention; one that Lambda makes is kept for ever. */
function writeLog(name) {
  return {
    Effect: "Allow",
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: { "Fn::GetAtt": [logGroupId(name), "Arn"] },
  };
}
