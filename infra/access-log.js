/**
 * One line of the API's access log: JSON, each value a string, because a value that is missing comes as "-". No message
 * of an error: API Gateway puts it in as it is, and a quote in it would break the line. No address of the client, no user
 * agent and no path: they would tell people apart, and nothing here needs them.
 * (API Gateway Developer Guide, "Customize HTTP API access logs")
 */
export const format = JSON.stringify({
  time: "$context.requestTime",
  // Lambda's, as in problem documents and, as function_request_id, in the functions' log lines.
  request_id: "$context.integration.requestId",
  // API Gateway's, which clients find in the header apigw-requestid.
  api_request_id: "$context.requestId",
  route: "$context.routeKey",
  status: "$context.status",
  latency_ms: "$context.responseLatency",
  function_latency_ms: "$context.integration.latency",
  function_status: "$context.integration.status",
  api_error: "$context.error.responseType",
});
