import { FUNCTIONS, routeIds } from "./functions.js";
import { parameters } from "./parameters.js";
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
  const { text, number, list } = parameters(resolveVariable);
  const issuer = await text("jwtIssuer");
  const audience = await list("jwtAudience");
  if (Boolean(issuer) !== audience.length > 0) throw new Error("jwtIssuer and jwtAudience only go together");
  return {
    Resources: { ...(issuer && { [AUTHORIZER]: authorizer(issuer, audience) }) },
    extensions: {
      HttpApiStage: {
        Properties: {
          DefaultRouteSettings: {
            DetailedMetricsEnabled: true,
            ThrottlingRateLimit: await number("throttleRate"),
            ThrottlingBurstLimit: await number("throttleBurst"),
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

/** Anything else must not pass for `open`: a misspelt `closed` would publish the page. */
function isClosed(docsPage) {
  if (docsPage === "open" || docsPage === "closed") return docsPage === "closed";
  throw new Error("docsPage must be open or closed");
}

const onRoutes = (ids, properties) => Object.fromEntries(ids.map((id) => [id, { Properties: properties }]));
