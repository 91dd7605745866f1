import { z } from "zod";

/** Per route: Count, 4xx, 5xx, Latency, IntegrationLatency, DataProcessed (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
const METRICS_PER_ROUTE = 6;
/** `POST /orders` and `GET /orders/{pk}`; routes that nobody calls write no metric. */
const ROUTES_OF_ORDERS = 2;
/** The address and tokens of Redis: serverless.yml, `custom.redis`. */
const SECRETS = 1;

const Resources = z.object({
  Resources: z.record(z.string(), z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()) })),
});
const Stacked = z.object({
  resources: z.custom<(framework: { resolveVariable: (name: string) => Promise<string> }) => Promise<unknown>>(
    (value) => typeof value === "function",
  ),
});
const Metrics = z.array(z.object({ MetricStat: z.unknown().optional() })).optional();
const DashboardBody = z.object({ "Fn::Sub": z.string() });
/** What API Gateway puts into one line of the access log (`infra/access-log.js`). */
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
  const [alarms, dashboards] = [await generated("alarms/index.js"), await generated("dashboard/index.js")];
  return {
    alarmMetrics: alarms.reduce((total, properties) => total + metricsOf(properties), 0),
    customMetrics: new Set(dashboards.flatMap(ownMetrics)).size,
    routeMetrics: METRICS_PER_ROUTE * ROUTES_OF_ORDERS,
    dashboards: dashboards.length,
    secrets: SECRETS,
    accessLogBytes: await accessLogBytes(),
  };
}

async function generated(file: string): Promise<Record<string, unknown>[]> {
  const { resources } = Stacked.parse(await import(urlOf(file)));
  // Thresholds and names do not change how many there are.
  const made = Resources.parse(await resources({ resolveVariable: async () => "1000" }));
  return Object.values(made.Resources).map(({ Properties }) => Properties);
}

/** An alarm on a calculation reads each of its metrics; the calculation itself is free. */
function metricsOf({ Metrics: metrics }: Record<string, unknown>): number {
  return Metrics.parse(metrics)?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1;
}

function ownMetrics({ DashboardBody: body }: Record<string, unknown>): string[] {
  return [...DashboardBody.parse(body)["Fn::Sub"].matchAll(OWN_METRIC)].map(({ groups }) => groups?.name ?? "");
}

async function accessLogBytes(): Promise<number> {
  const { format } = z.object({ format: z.string() }).parse(await import(urlOf("access-log.js")));
  const line = format.replaceAll(/\$context\.[\w.]+/g, (name) => z.string().parse(ACCESS_SAMPLE[name]));
  return Buffer.byteLength(line);
}

const urlOf = (file: string): string => new URL(`../../infra/${file}`, import.meta.url).href;
