import { arnOf, functionId, reference } from "./logical-ids.ts";

/**
 * Completes an order 5 seconds after it was placed: createOrder creates a schedule, and EventBridge Scheduler fires it.
 * @param stack such as `orders-prod`
 */
export const completionResources = (stack: string) => ({
  // Deleted with the stack, with every schedule in it: orders:pending in Redis has the orders that are still to be completed.
  CompletionSchedules: {
    Type: "AWS::Scheduler::ScheduleGroup",
    DeletionPolicy: "Delete",
    UpdateReplacePolicy: "Delete",
    Properties: { Name: `${stack}-completions` },
  },
  CompletionSchedulerRole: {
    Type: "AWS::IAM::Role",
    Properties: {
      Description: { "Fn::Sub": `What the schedules of ${reference("AWS::StackName")} may do` },
      AssumeRolePolicyDocument: {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { Service: "scheduler.amazonaws.com" },
            Action: "sts:AssumeRole",
            // Trusted for the group, not for one schedule. The conditions prevent Scheduler from using the role for someone
            // else's schedules (EventBridge Scheduler user guide, "Confused deputy prevention").
            Condition: {
              StringEquals: {
                "aws:SourceAccount": { Ref: "AWS::AccountId" },
                "aws:SourceArn": arnOf("CompletionSchedules"),
              },
            },
          },
        ],
      },
      Policies: [
        {
          PolicyName: "complete-orders",
          PolicyDocument: {
            Version: "2012-10-17",
            Statement: [
              { Effect: "Allow", Action: "lambda:InvokeFunction", Resource: arnOf(functionId("completeOrder")) },
              { Effect: "Allow", Action: "sqs:SendMessage", Resource: arnOf("UndeliveredCompletions") },
            ],
          },
        },
      ],
    },
  },
});
