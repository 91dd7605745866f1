import { readFile, rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { declaredFunctions, FUNCTIONS } from "../../infra/serverless-yml.ts";
import { stackResources } from "../../infra/stack.ts";
import { bundle } from "../../lab/lambda-host/build.ts";
import { copyProject, type Package, packageProject, SECRETS } from "./packager.ts";
import { alarmsOf } from "./replay.ts";
import {
  arnOf,
  inOneLine,
  isStateful,
  parametersOf,
  problemsOf,
  ref,
  referencesOf,
  resource,
  resourcesOf,
  Template,
} from "./template.ts";

/** CloudFormation's own limits (User Guide, "Quotas"). */
const MAX_RESOURCES = 500;
const MAX_TEMPLATE_BYTES = 1_000_000;

/**
 * State that a stack may lose, by type. The framework empties the bucket of deployments before it removes the stack; a log
 * group has a fixed name, so a retained one would be in the way of the next stack.
 */
const LOSABLE = ["AWS::S3::Bucket", "AWS::Logs::LogGroup"];

/** The framework names the folder of an upload after its time, and leaves that out when it compares two deploys. */
const UPLOAD_TIME = /\b\d{13}-\d{4}-\d\d-\d\dT[\d:.]+Z/g;

const ISSUER = "https://id.example.com/";
const ORIGINS = ["https://shop.example.com", "https://www.example.com"];

/** The packages that are examined, and the options of `serverless package` that make them. */
const PACKAGES = {
  dev: ["--stage", "dev"],
  prod: ["--stage", "prod", "--param", "access=open"],
  /** With everything that a parameter can switch on. */
  full: [
    ...["--stage", "prod"],
    ...Object.entries({
      access: "jwt",
      completion: "sweep",
      jwtIssuer: ISSUER,
      jwtAudience: "orders,shop",
      docsPage: "closed",
      corsOrigins: ORIGINS.join(", "),
      alarmEmail: "on-call@example.com",
      inventoryUrl: "https://inventory.example.com/shop/",
      orderRetentionDays: "365",
      reservedConcurrency: "200",
      problemTypesUrl: "https://docs.example.com/problems#",
      tracing: "Active",
    }).flatMap(([name, value]) => ["--param", `${name}=${value}`]),
  ],
};
const NAMES = ["dev", "prod", "full"] as const;

/** Where a function's bundle is in a package, without its extension. */
const bundleOf = (name: string) => `${name}.zip/${declaredFunctions[name]?.handler.replace(".handler", "")}`;

let project: string;
const packages = new Map<string, Package>();

const packageOf = (name: string) => packages.get(name) ?? expect.unreachable(`${name} was not packaged`);
const templateOf = (name: string) => packageOf(name).template;

beforeAll(async () => {
  project = await copyProject();
  for (const name of NAMES) packages.set(name, await packageProject(project, PACKAGES[name]));
});
afterAll(() => rm(project, { recursive: true }));

describe.for(NAMES)("the package %s", (name) => {
  const stage = name === "dev" ? "dev" : "prod";

  test("is a template that CloudFormation accepts", () => {
    const { template, files } = packageOf(name);
    expect(problemsOf(template)).toEqual([]);
    const ids = Object.keys(template.Resources);
    expect(referencesOf(template).filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.length).toBeLessThan(MAX_RESOURCES);
    const text = files.get("cloudformation-template-update-stack.json") ?? "";
    expect(Buffer.byteLength(text)).toBeLessThan(MAX_TEMPLATE_BYTES);
  });

  test("retains in prod what holds state, and refuses to remove prod", () => {
    const { template, files } = packageOf(name);
    const stateful = Object.entries(template.Resources).filter(
      ([, { Type }]) => isStateful(Type) && !LOSABLE.includes(Type),
    );
    expect(stateful.length).toBeGreaterThan(0);
    const policy = stage === "prod" ? "Retain" : "Delete";
    for (const [, each] of stateful)
      expect(each).toMatchObject({ DeletionPolicy: policy, UpdateReplacePolicy: policy });
    const State = z.object({ service: z.object({ provider: z.object({ deletionProtection: z.boolean() }) }) });
    const { service } = State.parse(JSON.parse(files.get("serverless-state.json") ?? ""));
    expect(service.provider.deletionProtection).toBe(stage === "prod");
  });

  test("holds no secret of the environment it was made in, and leaves no temporary file", () => {
    const { files, leftBehind } = packageOf(name);
    const holding = [...files].filter(([, text]) => Object.values(SECRETS).some((secret) => text.includes(secret)));
    expect(holding.map(([path]) => path)).toEqual([]);
    expect([...files.keys()]).toContain("serverless-state.json");
    expect(leftBehind).toEqual([]);
  });

  test("uploads each bundle with its source map and nothing else", () => {
    const zipped = [...packageOf(name).files.keys()].filter((path) => path.includes(".zip"));
    const bundles = FUNCTIONS.map(bundleOf);
    expect(zipped.toSorted()).toEqual(bundles.flatMap((path) => [`${path}.mjs`, `${path}.mjs.map`]).toSorted());
  });

  test("gives a role to each function and to the schedules, with these rights and no other", () => {
    const roles = resourcesOf(templateOf(name), "AWS::IAM::Role", Role);
    const roleOf = resourcesOf(templateOf(name), "AWS::Lambda::Function", z.object({ Role: z.unknown() }));
    const plain = [...roleOf.keys()].map((id) => id.replace("LambdaFunction", ""));
    expect(Object.fromEntries([...roles].map(([id, role]) => [id, statementsOf(role)]))).toEqual({
      ...Object.fromEntries(plain.map((id) => [`${id}Role`, logs(id, name)])),
      ...rightsOf(name),
    });
    for (const [id, { Role: role }] of roleOf) expect(role).toEqual(arnOf(id.replace("LambdaFunction", "Role")));
  });

  test("gives only functions that write a token of Redis that may write, and takes tokens from Secrets Manager", () => {
    const secret = (key: string) => `{{resolve:secretsmanager:orders/${stage}/redis:SecretString:${key}}}`;
    for (const [id, { Environment }] of functionsOf(templateOf(name))) {
      const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = Environment.Variables;
      const key = WRITERS.includes(id.replace("LambdaFunction", "")) ? "token" : "read_only_token";
      const hasRedis = url !== undefined || token !== undefined || key === "token";
      expect([id, url, token]).toEqual([id, hasRedis ? secret("url") : undefined, hasRedis ? secret(key) : undefined]);
    }
  });
});

const Policy = z.strictObject({ Version: z.literal("2012-10-17"), Statement: z.array(z.unknown()) });
const Role = z.strictObject({
  Description: z.unknown(),
  AssumeRolePolicyDocument: Policy,
  Policies: z.array(z.object({ PolicyDocument: Policy })),
});

/** Who may assume a role, and what it allows. */
const statementsOf = ({ AssumeRolePolicyDocument, Policies }: z.infer<typeof Role>) =>
  [AssumeRolePolicyDocument, ...Policies.map(({ PolicyDocument }) => PolicyDocument)].flatMap(
    ({ Statement }) => Statement,
  );

const trust = (Service: string, Condition?: object) => {
  return { Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole", Condition };
};
const allow = (Action: string | string[], Resource: unknown, Condition?: object) => {
  return { Effect: "Allow", Action, Resource, Condition };
};
/** In the package `full` tracing is on. X-Ray's actions accept no resource. */
const logs = (name: string, packageName: string) => [
  trust("lambda.amazonaws.com"),
  allow(["logs:CreateLogStream", "logs:PutLogEvents"], arnOf(`${name}LogGroup`)),
  ...(packageName === "full" ? [allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")] : []),
];
const REPORT = allow("sqs:SendMessage", arnOf("FailedInvocations"));

/** The roles of the functions that may do more than write logs and traces, and of the schedules. */
const rightsOf = (name: string) => ({
  CreateOrderRole: [
    ...logs("CreateOrder", name),
    allow("scheduler:CreateSchedule", {
      "Fn::Sub": expect.stringMatching(/^arn:[^*]+:schedule\/\$\{CompletionSchedules\}\/\*$/),
    }),
    allow("iam:PassRole", arnOf("CompletionSchedulerRole"), {
      StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" },
    }),
  ],
  CompleteOrderRole: [...logs("CompleteOrder", name), REPORT],
  DrainRefundsRole: [...logs("DrainRefunds", name), REPORT],
  SweepOrdersRole: [...logs("SweepOrders", name), REPORT],
  CompletionSchedulerRole: [
    trust("scheduler.amazonaws.com", {
      StringEquals: { "aws:SourceAccount": ref("AWS::AccountId"), "aws:SourceArn": arnOf("CompletionSchedules") },
    }),
    allow("lambda:InvokeFunction", arnOf("CompleteOrderLambdaFunction")),
    allow("sqs:SendMessage", arnOf("UndeliveredCompletions")),
  ],
});

/** The functions whose token of Redis may write. */
const WRITERS = ["CreateOrder", "CompleteOrder", "DrainRefunds", "SweepOrders"];

const LambdaFunction = z.object({
  Runtime: z.string(),
  Architectures: z.array(z.string()),
  MemorySize: z.int(),
  Timeout: z.int(),
  ReservedConcurrentExecutions: z.int().optional(),
  TracingConfig: z.object({ Mode: z.string() }),
  LoggingConfig: z.object({ LogFormat: z.string(), SystemLogLevel: z.string() }),
  FunctionName: z.string(),
  Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }),
});
const functionsOf = (template: Template) => resourcesOf(template, "AWS::Lambda::Function", LambdaFunction);

const Route = z.object({
  RouteKey: z.string(),
  AuthorizationType: z.string().optional(),
  AuthorizerId: z.unknown().optional(),
});

const routesOf = (template: Template) => [...resourcesOf(template, "AWS::ApiGatewayV2::Route", Route).values()];
const DOCS_ROUTE = / \/($|docs|\w+api\.)/;

test.for(["dev", "prod"])("anyone may call %s, but no page of another origin", (name) => {
  const template = templateOf(name);
  expect(routesOf(template).filter(({ AuthorizationType = "NONE" }) => AuthorizationType !== "NONE")).toEqual([]);
  expect(template.Resources.OrdersAuthorizer).toBeUndefined();
  expect(template.Resources.HttpApi?.Properties.CorsConfiguration).toBeUndefined();
});

test("with access=jwt and docsPage=closed each route is protected, and the origins may call", () => {
  const template = templateOf("full");
  for (const route of routesOf(template)) {
    if (route.RouteKey === "$default") continue;
    const jwt = { AuthorizationType: "JWT", AuthorizerId: ref("OrdersAuthorizer") };
    expect(route).toMatchObject(DOCS_ROUTE.test(route.RouteKey) ? { AuthorizationType: "AWS_IAM" } : jwt);
  }
  expect(template.Resources.OrdersAuthorizer?.Properties).toMatchObject({
    AuthorizerType: "JWT",
    IdentitySource: ["$request.header.Authorization"],
    JwtConfiguration: { Issuer: ISSUER, Audience: ["orders", "shop"] },
  });
  expect(template.Resources.HttpApi?.Properties.CorsConfiguration).toEqual({
    AllowOrigins: ORIGINS,
    AllowMethods: ["GET", "HEAD", "POST"],
    AllowHeaders: ["Content-Type", "Idempotency-Key", "Authorization"],
    ExposeHeaders: ["Location", "Idempotent-Replayed", "Retry-After"],
    MaxAge: 3600,
  });
});

const LogGroup = z.object({ RetentionInDays: z.int(), LogGroupName: z.string() });

test.for([
  ["dev", 10, 20, 7],
  ["prod", 500, 1000, 90],
] as const)("%s allows %d requests per second and %d at once, and keeps logs for %d days", ([name, ...expected]) => {
  const template = templateOf(name);
  const [ThrottlingRateLimit, ThrottlingBurstLimit, days] = expected;
  expect(template.Resources.HttpApiStage?.Properties.DefaultRouteSettings).toEqual({
    DetailedMetricsEnabled: true,
    ThrottlingRateLimit,
    ThrottlingBurstLimit,
  });
  const groups = resourcesOf(template, "AWS::Logs::LogGroup", LogGroup);
  for (const group of groups.values()) expect(group.RetentionInDays).toBe(days);
  // Before the function, or Lambda would make one that is kept forever.
  for (const [id, { FunctionName }] of functionsOf(template)) {
    const group = id.replace("LambdaFunction", "LogGroup");
    expect(groups.get(group)?.LogGroupName).toBe(`/aws/lambda/${FunctionName}`);
    expect(template.Resources[id]?.DependsOn).toContain(group);
  }
});

test("the access log is JSON with ids, route, status and latency, and nothing that identifies a client", () => {
  const Stage = z.object({ AccessLogSettings: z.object({ DestinationArn: z.unknown(), Format: z.string() }) });
  const { DestinationArn, Format } = resource(templateOf("prod"), "HttpApiStage", Stage).AccessLogSettings;
  expect(Object.keys(z.record(z.string(), z.string()).parse(JSON.parse(Format)))).toEqual(
    expect.arrayContaining(["request_id", "api_request_id", "route", "status", "latency_ms", "function_latency_ms"]),
  );
  expect(Format).not.toMatch(/identity|authorizer\.claims|\.path/);
  expect(DestinationArn).toEqual(arnOf("HttpApiLogGroup"));
  // It compares with text: the status is in quotes.
  expect(Format).toContain('"status":"$context.status"');
  const filters = {
    ThrottledRequests: '{ $.status = "429" }',
    FailedOrders: '{ $.route = "POST /orders" && ($.status = "5*" || $.status = "429") }',
  };
  for (const [MetricName, FilterPattern] of Object.entries(filters)) {
    expect(templateOf("prod").Resources[MetricName]?.Properties).toMatchObject({
      LogGroupName: ref("HttpApiLogGroup"),
      FilterPattern,
      MetricTransformations: [{ MetricNamespace: "Orders/orders-prod", MetricName, MetricValue: "1" }],
    });
  }
});

test("the alarms that the histories replay are those of the package", () => {
  const replayed = Template.parse(stackResources("orders-prod", parametersOf("prod")));
  expect(alarmsOf(templateOf("prod"))).toEqual(alarmsOf(replayed));
});

test("the pollers run every minute, and only the API and their own rules may invoke functions", () => {
  const template = templateOf("prod");
  for (const name of ["DrainRefunds", "SweepOrders"]) {
    expect(template.Resources[`${name}EventsRuleSchedule1`]?.Properties).toMatchObject({
      ScheduleExpression: "rate(1 minute)",
      State: "ENABLED",
      Targets: [{ Arn: arnOf(`${name}LambdaFunction`) }],
    });
  }
  const Permission = z.object({ FunctionName: z.unknown(), Principal: z.string(), SourceArn: z.unknown() });
  const permissions = resourcesOf(template, "AWS::Lambda::Permission", Permission);
  for (const { FunctionName, Principal, SourceArn } of permissions.values()) {
    const source = JSON.stringify(SourceArn);
    if (Principal === "apigateway.amazonaws.com") expect(source).toContain(JSON.stringify(ref("HttpApi")));
    else expect(source).toBe(JSON.stringify(FunctionName).replace("LambdaFunction", "EventsRuleSchedule1"));
  }
});

test("each queue refuses requests without TLS", () => {
  for (const id of ["UndeliveredCompletions", "FailedInvocations"]) {
    const policy = inOneLine(templateOf("prod").Resources[`${id}Policy`]?.Properties);
    expect(policy).toContain(`Queues:[${id}]`);
    expect(policy).toContain(
      `Statement:[{Effect:Deny,Principal:*,Action:sqs:*,Resource:${id}.Arn,Condition:{Bool:{aws:SecureTransport:false}}}]`,
    );
  }
});

test("parameters reach the functions they are for", () => {
  const functions = functionsOf(templateOf("full"));
  for (const { TracingConfig } of functions.values()) expect(TracingConfig.Mode).toBe("Active");
  expect(functions.get("CreateOrderLambdaFunction")?.Environment.Variables).toMatchObject({
    INVENTORY_URL: "https://inventory.example.com/shop/",
    ORDER_RETENTION_DAYS: "365",
    PROBLEM_TYPES_URL: "https://docs.example.com/problems#",
  });
  for (const id of ["CreateOrderLambdaFunction", "SweepOrdersLambdaFunction"]) {
    expect(functions.get(id)?.Environment.Variables).toMatchObject({ COMPLETION: "sweep" });
  }
  const reserved = [...functions].map(([id, { ReservedConcurrentExecutions }]) => [id, ReservedConcurrentExecutions]);
  expect(reserved.filter(([, executions]) => executions !== undefined)).toEqual([
    ["CreateOrderLambdaFunction", 200],
    ["CompleteOrderLambdaFunction", 200],
    ["DrainRefundsLambdaFunction", 3],
    ["SweepOrdersLambdaFunction", 3],
  ]);
});

/** In KB, minified: what a cold start reads and parses. The docs function holds the docs page. */
const BUDGETS: Readonly<Record<string, number>> = { createOrder: 400, docs: 1_400 };
const BUDGET = 220;

/** The docs page is text for its function: the package is needed only to build it. */
const NEEDED_TO_BUILD: Readonly<Record<string, readonly string[]>> = { docs: ["node_modules/swagger-ui-dist"] };

/** The innermost package that a file is in, as package-lock.json names it: `node_modules/@scope/name`. */
const PACKAGE = /node_modules\/(?:.+\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/;

/** What is deployed of the project itself, and what the plugins of `infra/` make up. */
const DEPLOYED = /^(\.\.\/)+((functions|lib)\/|(openapi|asyncapi)\.yaml$)|^(left-out|builtin|unused):/;

const SourceMap = z.object({ sources: z.array(z.string()) });
const Lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().default(false) })) });

test.for(FUNCTIONS)("%s is small, minified, and made of deployed code only", async (name) => {
  const { files } = packageOf("dev");
  const text = files.get(`${bundleOf(name)}.mjs`) ?? "";
  const { sources } = SourceMap.parse(JSON.parse(files.get(`${bundleOf(name)}.mjs.map`) ?? ""));
  const lock = Lock.parse(JSON.parse(await readFile("package-lock.json", "utf8")));

  expect(sources.filter((path) => !PACKAGE.test(path) && !DEPLOYED.test(path))).toEqual([]);
  const packages = new Set(sources.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  expect([...packages].filter((each) => lock.packages[each]?.dev)).toEqual(NEEDED_TO_BUILD[name] ?? []);
  // Only orders that are placed have prices.
  expect(packages.has("node_modules/big.js")).toBe(name === "createOrder");
  expect(text.includes("/products/")).toBe(name === "createOrder");
  // esbuild begins each module that it does not minify with its path.
  expect(text).not.toMatch(/^\/\/ (functions|lib|node_modules)\//m);
  expect(Buffer.byteLength(text) / 1_024).toBeLessThan(BUDGETS[name] ?? BUDGET);
});

test("what tests, benchmarks and the fault suite build is what is uploaded", async () => {
  using built = await bundle("functions/create-order.ts");

  expect(await readFile(built.path, "utf8")).toBe(packageOf("dev").files.get(`${bundleOf("createOrder")}.mjs`));
});

/** Parts that need no reasoning, but must not change unnoticed. */
test("the rest of the stack is as reviewed", () => {
  const template = templateOf("prod");
  const shown = (type: string, shape: z.ZodType = z.unknown()) =>
    Object.fromEntries([...resourcesOf(template, type, shape)].map(([id, each]) => [id, inOneLine(each)]));
  const byType = Object.groupBy(Object.values(template.Resources), ({ Type }) => Type);
  expect({
    resources: Object.fromEntries(Object.entries(byType).map(([type, each]) => [type, each?.length])),
    outputs: Object.keys(template.Outputs).toSorted(),
    ...shown("AWS::Lambda::Function", LambdaFunction),
    ...shown("AWS::Lambda::EventInvokeConfig"),
    ...shown("AWS::SQS::Queue"),
    ...shown("AWS::Scheduler::ScheduleGroup"),
  }).toMatchSnapshot();
});

test("the same sources make the same package, so that an unchanged deploy is skipped", async () => {
  const again = await packageProject(project, PACKAGES.dev);
  const comparable = ({ files }: Package) =>
    Object.fromEntries([...files].map(([name, text]) => [name, text.replaceAll(UPLOAD_TIME, "")]));

  expect(comparable(again)).toEqual(comparable(packageOf("dev")));
});

test.for([
  [["--stage", "prod"], /access is not set for the stage prod: set it to jwt or open in infra\/parameters\.yml .+/],
  [["--param", "throttleRate=many"], /Wrong parameters in .+ or --param: throttleRate must be a number, 0 or more/],
] as const)("with %j nothing is packaged, and one line says why", async ([options, reason]) => {
  await expect(packageProject(project, options)).rejects.toThrow(new RegExp(`\\nError:\\n${reason.source}\\n`));
});
