import { CloudWatchClient, type CloudWatchClientConfig, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import { ROLLBACK_ALARMS } from "./alarms.ts";

/** For `provider.rollbackConfiguration`. CloudFormation keeps the triggers of the last deploy unless it gets others. */
export interface RollbackConfiguration {
  readonly RollbackTriggers: readonly { readonly Arn: string; readonly Type: "AWS::CloudWatch::Alarm" }[];
  readonly MonitoringTimeInMinutes: number;
}

/** Nothing takes the update back but its own errors. */
export const WITHOUT_TRIGGERS: RollbackConfiguration = { RollbackTriggers: [], MonitoringTimeInMinutes: 0 };

/**
 * What takes a deploy back: an alarm that starts during it or in the minutes after it. Alarms are left out that do not exist yet,
 * because a missing one fails the deploy, and those that fire already: what they report is older than the deploy, which may
 * be its fix (CloudFormation User Guide, "Roll back your CloudFormation stack on alarm breach with rollback triggers").
 * @param stack such as `orders-prod`
 * @param minutes how long CloudFormation watches after the deploy, up to 180; without, no alarm takes the deploy back
 */
export async function rollbackConfiguration(
  stack: string,
  minutes: number | undefined,
  aws: CloudWatchClientConfig,
): Promise<RollbackConfiguration> {
  if (minutes === undefined) return WITHOUT_TRIGGERS;
  const AlarmNames = ROLLBACK_ALARMS.map((name) => `${stack}-page-${name}`);
  const { MetricAlarms = [] } = await new CloudWatchClient(aws).send(new DescribeAlarmsCommand({ AlarmNames }));
  const arns = MetricAlarms.flatMap(({ AlarmArn, StateValue }) =>
    AlarmArn && StateValue !== "ALARM" ? [AlarmArn] : [],
  );
  if (arns.length === 0) return WITHOUT_TRIGGERS;
  return {
    RollbackTriggers: arns.map((Arn) => ({ Arn, Type: "AWS::CloudWatch::Alarm" })),
    MonitoringTimeInMinutes: minutes,
  };
}
