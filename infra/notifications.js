import { parameters, stackName } from "./parameters.js";
import { ownArn } from "./references.js";

/**
 * Where alarms go. The topic is not encrypted: CloudWatch cannot publish to one that is encrypted with AWS's own key, and
 * what alarms say is no secret (CloudWatch User Guide, "Using Amazon CloudWatch alarms").
 */
export async function resources({ resolveVariable }) {
  const email = await parameters(resolveVariable).text("alarmEmail");
  const name = await stackName(resolveVariable);
  return {
    Resources: {
      Alarms: { Type: "AWS::SNS::Topic", Properties: { DisplayName: name } },
      AlarmsPolicy: {
        Type: "AWS::SNS::TopicPolicy",
        Properties: {
          Topics: [{ Ref: "Alarms" }],
          PolicyDocument: { Version: "2012-10-17", Statement: [ownAlarmsOnly(name)] },
        },
      },
      ...(email && {
        AlarmsEmail: {
          Type: "AWS::SNS::Subscription",
          Properties: { TopicArn: { Ref: "Alarms" }, Protocol: "email", Endpoint: email },
        },
      }),
    },
    Outputs: {
      AlarmsTopic: { Description: "Where alarms are published: subscribe to it", Value: { Ref: "Alarms" } },
    },
  };
}

function ownAlarmsOnly(name) {
  return {
    Effect: "Allow",
    Principal: { Service: "cloudwatch.amazonaws.com" },
    Action: "sns:Publish",
    Resource: { Ref: "Alarms" },
    Condition: {
      StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } },
      ArnLike: { "aws:SourceArn": ownArn("cloudwatch", `alarm:${name}-*`) },
    },
  };
}
