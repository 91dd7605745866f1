/**
 * What Lambda writes of one invocation with JSON logs at its default level, tracing on
 * (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html): its lines are billed as the function's own.
 */
export const PLATFORM_LINES: readonly string[] = [
  {
    time: "2026-11-23T06:40:04.514Z",
    type: "platform.start",
    record: { requestId: "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa", version: "$LATEST" },
  },
  {
    time: "2026-11-23T06:40:04.541Z",
    type: "platform.report",
    record: {
      requestId: "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa",
      metrics: { durationMs: 25.512, billedDurationMs: 26, memorySizeMB: 256, maxMemoryUsedMB: 101 },
      tracing: {
        spanId: "641b0c1d2e3f4a5b",
        type: "X-Amzn-Trace-Id",
        value: "Root=1-69229cf2-0a1b2c3d4e5f60718293a4b5;Parent=0a1b2c3d4e5f6071;Sampled=1;Lineage=1:12345678:0",
      },
      status: "success",
    },
  },
].map((line) => JSON.stringify(line));

/** What API Gateway puts into one line of the access log (`infra/access-log.js`). */
export const ACCESS_SAMPLE: Readonly<Record<string, string>> = {
  "$context.requestTime": "23/Nov/2026:06:40:04 +0000",
  "$context.integration.requestId": "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa",
  "$context.requestId": "Ux7wXhNZliAEJWA=",
  "$context.routeKey": "GET /orders/{pk}",
  "$context.status": "200",
  "$context.responseLatency": "31",
  "$context.integration.latency": "28",
  "$context.integration.status": "200",
  "$context.error.responseType": "-",
};
