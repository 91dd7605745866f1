import { readMaxLength } from "../completed-stream.js";
import { parameters, stackName } from "../parameters.js";
import { apiAlarms } from "./api.js";
import { deadLetterAlarms } from "./dead-letters.js";
import { functionAlarms } from "./functions.js";
import { orderAlarms } from "./orders.js";

/** Everything that wakes someone. Each alarm says what is wrong and links to what to do. */
export async function resources({ resolveVariable }) {
  const { text, number } = parameters(resolveVariable);
  const common = { stack: await stackName(resolveVariable), docsUrl: await text("docsUrl") };
  const alarms = {
    ...apiAlarms(common, {
      percent5xx: await number("alarm5xxPercent"),
      percent4xx: await number("alarm4xxPercent"),
      minRequests4xx: await number("alarm4xxMinRequests"),
      percent429: await number("alarm429Percent"),
      latencyMs: await number("alarmLatencyMs"),
    }),
    ...orderAlarms(common, {
      completionLagMs: await number("alarmCompletionLagMs"),
      overdueOrders: await number("alarmOverdueOrders"),
      scheduleFailuresPercent: await number("alarmScheduleFailuresPercent"),
      redisErrorsPercent: await number("alarmRedisErrorsPercent"),
      refundBacklog: await number("alarmRefundBacklog"),
      completedStreamMaxLength: await readMaxLength(resolveVariable),
    }),
    ...deadLetterAlarms(common),
    ...functionAlarms(common, { errorsPercent: await number("alarmFunctionErrorsPercent") }),
  };
  return {
    Resources: Object.fromEntries(
      Object.entries(alarms).map(([id, Properties]) => [`${id}Alarm`, { Type: "AWS::CloudWatch::Alarm", Properties }]),
    ),
  };
}
