import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ref, resource, resourcesOf, type Template } from "../support/template.ts";
import type { Rules } from "./form.ts";

const Route = z.object({
  RouteKey: z.string(),
  AuthorizationType: z.string().optional(),
  AuthorizerId: z.unknown().optional(),
});
type Route = z.infer<typeof Route>;

const Stage = z.object({
  StageName: z.string(),
  DefaultRouteSettings: z.unknown(),
  AccessLogSettings: z.object({ DestinationArn: z.unknown(), Format: z.string() }),
});

const Api = z.object({ CorsConfiguration: z.unknown().optional() });
const LogGroup = z.object({ RetentionInDays: z.int() });

const MetricFilter = z.object({
  LogGroupName: z.unknown(),
  FilterPattern: z.string(),
  MetricTransformations: z.array(z.unknown()),
});

const THROTTLING = {
  dev: { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20 },
  prod: { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 },
};

/** Who may call a route, by what its key begins with. */
function routesOf(template: Template, pattern: RegExp): Route[] {
  const routes = [...resourcesOf(template, "AWS::ApiGatewayV2::Route", Route).values()];
  return routes.filter(({ RouteKey }) => pattern.test(RouteKey));
}

export const api: Rules = (made, { stage, issuer, audiences, docs = "open", origins }) => {
  describe("the API", () => {
    test("throttles, and measures each route", () => {
      const { DefaultRouteSettings } = resource(made().template, "HttpApiStage", Stage);
      expect(DefaultRouteSettings).toEqual({ DetailedMetricsEnabled: true, ...THROTTLING[stage] });
    });

    test("logs each request as JSON with its ids, route, status and latency, and nothing of the client", () => {
      const { template } = made();
      const { AccessLogSettings } = resource(template, "HttpApiStage", Stage);
      const line = z.record(z.string(), z.string()).parse(JSON.parse(AccessLogSettings.Format));
      expect(line).toMatchObject({
        request_id: "$context.integration.requestId",
        api_request_id: "$context.requestId",
        route: "$context.routeKey",
        // The filter that counts throttled requests compares it with a text.
        status: "$context.status",
        latency_ms: "$context.responseLatency",
        function_latency_ms: "$context.integration.latency",
      });
      expect(AccessLogSettings.Format).not.toMatch(/identity|authorizer\.claims|\.path/);
      expect(AccessLogSettings.DestinationArn).toEqual({ "Fn::GetAtt": ["HttpApiLogGroup", "Arn"] });
      expect(resource(template, "HttpApiLogGroup", LogGroup).RetentionInDays).toBeGreaterThan(0);
    });

    test("counts the requests that it throttles, for its own stage", () => {
      const filter = resource(made().template, "ThrottledRequests", MetricFilter);
      expect(filter).toEqual({
        LogGroupName: ref("HttpApiLogGroup"),
        FilterPattern: '{ $.status = "429" }',
        MetricTransformations: [
          {
            MetricNamespace: `Orders/orders-${stage}`,
            MetricName: "ThrottledRequests",
            MetricValue: "1",
            DefaultValue: 0,
            Unit: "Count",
          },
        ],
      });
    });

    test(`lets ${issuer ? "only the issuer's tokens" : "anyone"} place and see orders`, () => {
      const routes = routesOf(made().template, / \/(?!$|docs|openapi)/);
      expect(routes).toHaveLength(3);
      const protection = issuer ? { AuthorizationType: "JWT", AuthorizerId: ref("OrdersAuthorizer") } : {};
      for (const { RouteKey, ...route } of routes) expect({ RouteKey, route }).toEqual({ RouteKey, route: protection });
    });

    test(`${issuer ? "has an authorizer for the issuer and its audiences" : "has no authorizer"}`, () => {
      const authorizer = made().template.Resources.OrdersAuthorizer?.Properties;
      if (issuer) {
        expect(authorizer).toMatchObject({
          AuthorizerType: "JWT",
          IdentitySource: ["$request.header.Authorization"],
          JwtConfiguration: { Issuer: issuer, Audience: audiences },
        });
      } else {
        expect(authorizer).toBeUndefined();
      }
    });

    test(`keeps its docs page ${docs}`, () => {
      const routes = routesOf(made().template, / \/($|docs|openapi)/);
      expect(routes).toHaveLength(10);
      const protection = docs === "closed" ? { AuthorizationType: "AWS_IAM" } : {};
      for (const { RouteKey, ...route } of routes) expect({ RouteKey, route }).toEqual({ RouteKey, route: protection });
    });

    test(`lets ${origins ? "the configured" : "no"} origins call it from a browser`, () => {
      const { CorsConfiguration } = resource(made().template, "HttpApi", Api);
      const expected = {
        AllowOrigins: origins,
        AllowMethods: ["GET", "HEAD", "POST"],
        AllowHeaders: ["Content-Type", "Idempotency-Key", "Authorization"],
        ExposeHeaders: ["Location", "Idempotent-Replayed", "Retry-After"],
        MaxAge: 3600,
      };
      expect(CorsConfiguration).toEqual(origins ? expected : undefined);
    });
  });
};
