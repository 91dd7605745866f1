import { reference, routeIds } from "./logical-ids.ts";
import { accessLogMetric, type Metric } from "./metrics.ts";
import type { Parameters } from "./parameters.ts";
import { FUNCTIONS } from "./serverless-yml.ts";

const AUTHORIZER = "OrdersAuthorizer";
const ADDRESS = `https://${reference("HttpApi")}.execute-api.${reference("AWS::Region")}.${reference("AWS::URLSuffix")}`;

const DOCS = "docs";
const DOCS_ROUTES = routeIds(DOCS);
/** All other routes, so that a new route is protected by default. */
const ORDER_ROUTES = FUNCTIONS.filter((name) => name !== DOCS).flatMap(routeIds);

/**
 * One line of the API's access log: JSON in which each value is a string, because a missing value is written as "-". No error
 * message, because API Gateway inserts it unescaped and a quote in it would break the line. No client address, user agent or
 * path, because they could identify people.
 * (API Gateway Developer Guide, "Customize HTTP API access logs")
 */
export const accessLogFormat = JSON.stringify({
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

/** `provider.httpApi.cors`: the origins whose pages may call the API from a browser. By default none. */
export const cors = ({ corsOrigins }: Parameters) =>
  corsOrigins.length > 0 && {
    allowedOrigins: corsOrigins,
    allowedMethods: ["GET", "HEAD", "POST"],
    allowedHeaders: ["Content-Type", "Idempotency-Key", "Authorization"],
    exposedResponseHeaders: ["Location", "Idempotent-Replayed", "Retry-After"],
    maxAge: 3600,
  };

/**
 * Settings that the framework has no key for: throttling, and protection that a parameter switches on. The routes of
 * serverless.yml do not change, so they also work on one machine.
 */
export const apiStack = (stack: string, parameters: Parameters) => ({
  Resources: {
    ...(parameters.jwtIssuer && { [AUTHORIZER]: authorizer(parameters) }),
    ThrottledRequests: accessLogFilter(accessLogMetric(stack, "ThrottledRequests"), '{ $.status = "429" }'),
    FailedOrders: accessLogFilter(
      accessLogMetric(stack, "FailedOrders"),
      '{ $.route = "POST /orders" && ($.status = "5*" || $.status = "429") }',
    ),
  },
  extensions: {
    HttpApiStage: {
      Properties: {
        DefaultRouteSettings: {
          DetailedMetricsEnabled: true,
          ThrottlingRateLimit: parameters.throttleRate,
          ThrottlingBurstLimit: parameters.throttleBurst,
        },
      },
    },
    ...(parameters.jwtIssuer &&
      onRoutes(ORDER_ROUTES, { AuthorizationType: "JWT", AuthorizerId: { Ref: AUTHORIZER } })),
    ...(parameters.docsPage === "closed" && onRoutes(DOCS_ROUTES, { AuthorizationType: "AWS_IAM" })),
  },
  Outputs: {
    Docs: { Description: "The docs page of this stage", Value: { "Fn::Sub": `${ADDRESS}/docs` } },
  },
});

const authorizer = ({ jwtIssuer, jwtAudience }: Parameters) => ({
  Type: "AWS::ApiGatewayV2::Authorizer",
  Properties: {
    ApiId: { Ref: "HttpApi" },
    Name: "orders",
    AuthorizerType: "JWT",
    IdentitySource: ["$request.header.Authorization"],
    JwtConfiguration: { Issuer: jwtIssuer, Audience: jwtAudience },
  },
});

/**
 * Counts the requests that a pattern matches (CloudWatch Logs User Guide, "Filter pattern syntax"). With the default value
 * CloudWatch gets a 0 for each minute in which only other requests were logged.
 */
const accessLogFilter = ({ namespace, name }: Metric, pattern: string) => ({
  Type: "AWS::Logs::MetricFilter",
  Properties: {
    LogGroupName: { Ref: "HttpApiLogGroup" },
    FilterPattern: pattern,
    MetricTransformations: [
      { MetricNamespace: namespace, MetricName: name, MetricValue: "1", DefaultValue: 0, Unit: "Count" },
    ],
  },
});

const onRoutes = (ids: readonly string[], properties: object) =>
  Object.fromEntries(ids.map((id) => [id, { Properties: properties }]));
