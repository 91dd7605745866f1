import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { accessLogFormat } from "../../infra/api.ts";
import { readParameters } from "../../infra/parameters.ts";
import { stackResources } from "../../infra/stack.ts";

/** Per route: Count, 4xx, 5xx, Latency, IntegrationLatency, DataProcessed (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
const METRICS_PER_ROUTE = 6;
/** `POST /orders` and `GET /orders/{pk}`; routes that nobody calls write no metric. */
const ROUTES_OF_ORDERS = 2;
/** The address and tokens of Redis: serverless.yml, `custom.redis`. */
const SECRETS = 1;

const Resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()) });
const Default = z.object({ default: z.record(z.string(), z.unknown()) });
const Metrics = z.array(z.object({ MetricStat: z.unknown().optional() })).optional();
const DashboardBody = z.object({ "Fn::Sub": z.string() });
/** What API Gateway puts into one line of the access log (`infra/api.ts`). */
const ACCESS_SAMPLE: Readonly<Record<string, string>> = {
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

/** Of the namespace `Orders`, and of the stage's own below it. */
const OWN_METRIC = /\["Orders(\/[\w-]+)?","(?<name>\w+)"/g;

/** What exists all month, and the access log. */
export interface Infrastructure {
  readonly alarmMetrics: number;
  readonly customMetrics: number;
  /** API Gateway's detailed metrics of the routes that orders use: custom metrics to CloudWatch. */
  readonly routeMetrics: number;
  readonly dashboards: number;
  readonly secrets: number;
  /** Per request to the API. */
  readonly accessLogBytes: number;
}

/** What `infra/` deploys besides the functions, counted in what it generates. */
export async function readInfrastructure(): Promise<Infrastructure> {
  const file = new URL("../../infra/parameters.yml", import.meta.url);
  const parameters = readParameters({
    ...Default.parse(parse(await readFile(file, "utf8"))),
    stage: {},
    commandLine: [],
  });
  const resources = z.array(Resource).parse(Object.values(stackResources("orders-dev", parameters).Resources));
  const ofType = (type: string) => resources.filter(({ Type }) => Type === type).map(({ Properties }) => Properties);
  const [alarms, dashboards] = [ofType("AWS::CloudWatch::Alarm"), ofType("AWS::CloudWatch::Dashboard")];
  return {
    alarmMetrics: alarms.reduce((total, properties) => total + metricsOf(properties), 0),
    customMetrics: new Set(dashboards.flatMap(ownMetrics)).size,
    routeMetrics: METRICS_PER_ROUTE * ROUTES_OF_ORDERS,
    dashboards: dashboards.length,
    secrets: SECRETS,
    accessLogBytes: accessLogBytes(),
  };
}

/** An alarm on a calculation reads each of its metrics; the calculation itself is free. */
function metricsOf({ Metrics: metrics }: Record<string, unknown>): number {
  return Metrics.parse(metrics)?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1;
}

function ownMetrics({ DashboardBody: body }: Record<string, unknown>): string[] {
  return [...DashboardBody.parse(body)["Fn::Sub"].matchAll(OWN_METRIC)].map(({ groups }) => groups?.name ?? "");
}

function accessLogBytes(): number {
  const line = accessLogFormat.replaceAll(/\$context\.[\w.]+/g, (name) => z.string().parse(ACCESS_SAMPLE[name]));
  return Buffer.byteLength(line);
}
