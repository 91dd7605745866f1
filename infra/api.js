import { FUNCTIONS, routeIds } from "./functions.js";
import { throttledRequests } from "./metrics.js";
import { parameterError, parameters, stackName } from "./parameters.js";
import { reference } from "./references.js";

const AUTHORIZER = "OrdersAuthorizer";
const ADDRESS = `https://${reference("HttpApi")}.execute-api.${reference("AWS::Region")}.${reference("AWS::URLSuffix")}`;

const DOCS = "docs";
const DOCS_ROUTES = routeIds(DOCS);
/** All others: a new route is protected unless someone says otherwise. */
const ORDER_ROUTES = FUNCTIONS.filter((name) => name !== DOCS).flatMap(routeIds);

/**
 * What the framework has no key for: throttling, and protection that a parameter switches on. The routes of serverless.yml
 * stay as they are, also for a run on one machine.
 */
export async function resources({ resolveVariable }) {
  const { text, number, wholeNumber, list } = parameters(resolveVariable);
  const issuer = await text("jwtIssuer");
  const audience = await list("jwtAudience");
  assertConsistent(await text("access"), issuer, audience);
  return {
    Resources: {
      ...(issuer && { [AUTHORIZER]: authorizer(issuer, audience) }),
      ThrottledRequests: throttledRequestsFilter(await stackName(resolveVariable)),
    },
    extensions: {
      HttpApiStage: {
        Properties: {
          DefaultRouteSettings: {
            DetailedMetricsEnabled: true,
            ThrottlingRateLimit: await number("throttleRate"),
            ThrottlingBurstLimit: await wholeNumber("throttleBurst"),
          },
        },
      },
      ...(issuer && onRoutes(ORDER_ROUTES, { AuthorizationType: "JWT", AuthorizerId: { Ref: AUTHORIZER } })),
      ...(isClosed(await text("docsPage")) && onRoutes(DOCS_ROUTES, { AuthorizationType: "AWS_IAM" })),
    },
    Outputs: {
      Docs: {
        Description: "The docs page of this stage",
        Value: { "Fn::Sub": `${ADDRESS}/docs` },
      },
    },
  };
}

/** `access` says whether there is meant to be an issuer: a forgotten one would open the API. Empty, it stops packaging. */
function assertConsistent(access, issuer, audience) {
  if (!["jwt", "open", ""].includes(access)) throw parameterError("access must be jwt or open");
  if (Boolean(issuer) !== audience.length > 0) throw parameterError("jwtIssuer and jwtAudience only go together");
  if (access === "jwt" && !issuer) throw parameterError("access=jwt needs jwtIssuer and jwtAudience");
  if (access === "open" && issuer) {
    throw parameterError("jwtIssuer contradicts access=open: set access to jwt, or unset jwtIssuer and jwtAudience");
  }
}

function authorizer(issuer, audience) {
  return {
    Type: "AWS::ApiGatewayV2::Authorizer",
    Properties: {
      ApiId: { Ref: "HttpApi" },
      Name: "orders",
      AuthorizerType: "JWT",
      IdentitySource: ["$request.header.Authorization"],
      JwtConfiguration: { Issuer: issuer, Audience: audience },
    },
  };
}

/** With a default value CloudWatch has a number for each minute with requests, and none only where nothing was logged. */
function throttledRequestsFilter(stack) {
  const { namespace, name } = throttledRequests(stack);
  return {
    Type: "AWS::Logs::MetricFilter",
    Properties: {
      LogGroupName: { Ref: "HttpApiLogGroup" },
      FilterPattern: '{ $.status = "429" }',
      MetricTransformations: [
        { MetricNamespace: namespace, MetricName: name, MetricValue: "1", DefaultValue: 0, Unit: "Count" },
      ],
    },
  };
}

/** Anything else must not pass for `open`: a misspelt `closed` would publish the page. */
function isClosed(docsPage) {
  if (docsPage === "open" || docsPage === "closed") return docsPage === "closed";
  throw parameterError("docsPage must be open or closed");
}

const onRoutes = (ids, properties) => Object.fromEntries(ids.map((id) => [id, { Properties: properties }]));
