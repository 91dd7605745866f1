import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readServerlessYml } from "../support/bundle.ts";
import { type Package, type Packager, SECRETS, startPackager } from "./packager.ts";
import { rebuild } from "./rebuild.ts";
import {
  arnOf,
  found,
  isStateful,
  problemsOf,
  ref,
  referencesOf,
  resource,
  resourcesOf,
  type Template,
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
      jwtIssuer: ISSUER,
      jwtAudience: "orders,shop",
      docsPage: "closed",
      corsOrigins: ORIGINS.join(", "),
      alarmEmail: "on-call@example.com",
      inventoryUrl: "https://inventory.example.com/shop/",
      orderRetentionDays: "365",
      reservedConcurrency: "200",
      problemTypesUrl: "https://docs.example.com/problems#",
      throttleRate: "700",
      tracing: "Active",
    }).flatMap(([name, value]) => ["--param", `${name}=${value}`]),
  ],
};
const NAMES = ["dev", "prod", "full"] as const;

let packager: Packager;
const packages = new Map<string, Package>();

const packageOf = (name: string) => packages.get(name) ?? expect.unreachable(`${name} was not packaged`);
const templateOf = (name: string) => packageOf(name).template;

beforeAll(async () => {
  packager = await startPackager();
  for (const name of NAMES) packages.set(name, await packager.package(...PACKAGES[name]));
});
afterAll(() => packager[Symbol.asyncDispose]());

describe.for(NAMES)("the package %s", (name) => {
  const stage = name === "dev" ? "dev" : "prod";

  test("is a template that CloudFormation accepts", () => {
    const { template, files } = packageOf(name);
    expect(Object.entries(template.Resources).flatMap(([id, each]) => problemsOf(id, each))).toEqual([]);
    const ids = Object.keys(template.Resources);
    const referred = [...ids.flatMap((id) => referencesOf(template, id)), ...found(template.Outputs)];
    expect(referred.filter((id) => !(id in template.Resources))).toEqual([]);
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

  test("uploads each bundle with its source map and nothing else", async () => {
    const { files } = packageOf(name);
    const zipped = [...files.keys()].filter((path) => path.includes(".zip"));
    const sources = Object.entries((await readServerlessYml()).functions).map(
      ([id, { handler }]) =>
        [`${id}.zip/${handler.replace(".handler", "")}`, handler.replace(".handler", ".ts")] as const,
    );
    expect(zipped.toSorted()).toEqual(sources.flatMap(([path]) => [`${path}.mjs`, `${path}.mjs.map`]).toSorted());
    // So that what bundles.test.ts finds in its own build holds for the uploaded one.
    for (const [path, source] of sources) expect(files.get(`${path}.mjs`)).toBe((await rebuild(source)).text);
  });

  test("gives a role to each function and to the schedules, with these rights and no other", () => {
    const roles = resourcesOf(templateOf(name), "AWS::IAM::Role", Role);
    const functions = resourcesOf(templateOf(name), "AWS::Lambda::Function", z.object({ Role: z.unknown() }));
    const plain = [...functions.keys()].map((id) => id.replace("LambdaFunction", ""));
    expect(Object.fromEntries([...roles].map(([id, role]) => [id, rightsOf(role)]))).toEqual({
      ...Object.fromEntries(plain.map((id) => [`${id}Role`, logsAndTraces(id)])),
      ...RIGHTS,
    });
    for (const [id, { Role: role }] of functions) expect(role).toEqual(arnOf(id.replace("LambdaFunction", "Role")));
    const types = Object.values(templateOf(name).Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type.startsWith("AWS::IAM::") && type !== "AWS::IAM::Role")).toEqual([]);
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

const Strings = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const Statement = z.strictObject({
  Effect: z.literal("Allow"),
  Action: Strings,
  Resource: z.unknown(),
  Condition: z.unknown().optional(),
});
const Trust = z.strictObject({
  Effect: z.literal("Allow"),
  Principal: z.strictObject({ Service: z.string() }),
  Action: z.literal("sts:AssumeRole"),
  Condition: z.unknown().optional(),
});
const Role = z.strictObject({
  Description: z.unknown(),
  AssumeRolePolicyDocument: z.strictObject({ Version: z.string(), Statement: z.tuple([Trust]) }),
  Policies: z.array(z.object({ PolicyDocument: z.object({ Statement: z.array(Statement) }) })),
});

/** Who may assume a role, and what it allows: `[actions, resource, condition]`. */
function rightsOf({
  AssumeRolePolicyDocument: {
    Statement: [trust],
  },
  Policies,
}: z.infer<typeof Role>): readonly unknown[] {
  const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  return [
    [trust.Principal.Service, ...(trust.Condition ? [trust.Condition] : [])],
    ...statements.map(({ Action, Resource, Condition }) => [
      Action.join(),
      Resource,
      ...(Condition ? [Condition] : []),
    ]),
  ];
}

const logsAndTraces = (name: string) => [
  ["lambda.amazonaws.com"],
  ["logs:CreateLogStream,logs:PutLogEvents", arnOf(`${name}LogGroup`)],
  // X-Ray's actions accept no resource.
  ["xray:PutTraceSegments,xray:PutTelemetryRecords", "*"],
];
const REPORT = ["sqs:SendMessage", arnOf("FailedInvocations")];

/** The roles of the functions that may do more than write logs and traces, and of the schedules. */
const RIGHTS = {
  CreateOrderRole: [
    ...logsAndTraces("CreateOrder"),
    [
      "scheduler:CreateSchedule",
      { "Fn::Sub": expect.stringMatching(/^arn:[^*]+:schedule\/\$\{CompletionSchedules\}\/\*$/) },
    ],
    [
      "iam:PassRole",
      arnOf("CompletionSchedulerRole"),
      { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
    ],
  ],
  CompleteOrderRole: [...logsAndTraces("CompleteOrder"), REPORT],
  DrainRefundsRole: [...logsAndTraces("DrainRefunds"), REPORT],
  SweepOrdersRole: [...logsAndTraces("SweepOrders"), REPORT],
  CompletionSchedulerRole: [
    [
      "scheduler.amazonaws.com",
      { StringEquals: { "aws:SourceAccount": ref("AWS::AccountId"), "aws:SourceArn": arnOf("CompletionSchedules") } },
    ],
    ["lambda:InvokeFunction", arnOf("CompleteOrderLambdaFunction")],
    ["sqs:SendMessage", arnOf("UndeliveredCompletions")],
  ],
};

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

/** The route keys, and what protects them. */
function routesOf(template: Template, pattern: RegExp) {
  const routes = [...resourcesOf(template, "AWS::ApiGatewayV2::Route", Route).values()];
  return routes
    .filter(({ RouteKey }) => pattern.test(RouteKey))
    .map(({ AuthorizationType = "NONE", AuthorizerId }) => [AuthorizationType, AuthorizerId]);
}
const DOCS_ROUTES = / \/($|docs|\w+api\.)/;
const ORDER_ROUTES = / \/(?!$|docs|\w+api\.)/;

test.for(["dev", "prod"])("anyone may call %s, but no page of another origin", (name) => {
  const template = templateOf(name);
  for (const pattern of [ORDER_ROUTES, DOCS_ROUTES]) {
    expect(new Set(routesOf(template, pattern).map(([type]) => type))).toEqual(new Set(["NONE"]));
  }
  expect(template.Resources.OrdersAuthorizer).toBeUndefined();
  expect(template.Resources.HttpApi?.Properties.CorsConfiguration).toBeUndefined();
});

test("with access=jwt and docsPage=closed each route is protected, and the origins may call", () => {
  const template = templateOf("full");
  const [orders, docs] = [routesOf(template, ORDER_ROUTES), routesOf(template, DOCS_ROUTES)];
  for (const route of orders) expect(route).toEqual(["JWT", ref("OrdersAuthorizer")]);
  for (const route of docs) expect(route).toEqual(["AWS_IAM", undefined]);
  // All but the one that takes what no other takes.
  expect(orders.length + docs.length).toBe(routesOf(template, /./).length - 1);
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

test.for([
  ["dev", 10, 20, 7],
  ["prod", 500, 1000, 90],
  ["full", 700, 1000, 90],
] as const)(
  "%s allows %d requests per second and %d at once, and keeps logs for %d days",
  ([name, rate, burst, days]) => {
    const template = templateOf(name);
    expect(template.Resources.HttpApiStage?.Properties.DefaultRouteSettings).toEqual({
      DetailedMetricsEnabled: true,
      ThrottlingRateLimit: rate,
      ThrottlingBurstLimit: burst,
    });
    const groups = resourcesOf(
      template,
      "AWS::Logs::LogGroup",
      z.object({ RetentionInDays: z.int(), LogGroupName: z.string() }),
    );
    for (const group of groups.values()) expect(group.RetentionInDays).toBe(days);
    // Before the function, or Lambda would make one that is kept forever.
    for (const [id, { FunctionName }] of functionsOf(template)) {
      const group = id.replace("LambdaFunction", "LogGroup");
      expect(groups.get(group)?.LogGroupName).toBe(`/aws/lambda/${FunctionName}`);
      expect(template.Resources[id]?.DependsOn).toContain(group);
    }
  },
);

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
  expect(templateOf("prod").Resources.ThrottledRequests?.Properties).toMatchObject({
    LogGroupName: ref("HttpApiLogGroup"),
    FilterPattern: '{ $.status = "429" }',
    MetricTransformations: [
      { MetricNamespace: "Orders/orders-prod", MetricName: "ThrottledRequests", MetricValue: "1" },
    ],
  });
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
  for (const { FunctionName, Principal, SourceArn } of resourcesOf(
    template,
    "AWS::Lambda::Permission",
    Permission,
  ).values()) {
    const source = JSON.stringify(SourceArn);
    if (Principal === "apigateway.amazonaws.com") expect(source).toContain(JSON.stringify(ref("HttpApi")));
    else expect(source).toBe(JSON.stringify(FunctionName).replace("LambdaFunction", "EventsRuleSchedule1"));
  }
});

test("each queue refuses requests without TLS", () => {
  for (const id of ["UndeliveredCompletions", "FailedInvocations"]) {
    expect(templateOf("prod").Resources[`${id}Policy`]?.Properties).toMatchObject({
      Queues: [ref(id)],
      PolicyDocument: {
        Statement: [
          {
            ...{ Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: arnOf(id) },
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      },
    });
  }
});

test("parameters reach the functions they are for", () => {
  const variable = (name: string, key: string) =>
    functionsOf(templateOf(name)).get("CreateOrderLambdaFunction")?.Environment.Variables[key];
  expect([variable("prod", "INVENTORY_URL"), variable("full", "INVENTORY_URL")]).toEqual([
    "",
    "https://inventory.example.com/shop/",
  ]);
  expect([variable("prod", "ORDER_RETENTION_DAYS"), variable("full", "ORDER_RETENTION_DAYS")]).toEqual(["0", "365"]);
  expect(variable("full", "PROBLEM_TYPES_URL")).toBe("https://docs.example.com/problems#");
  const settings = [...functionsOf(templateOf("full"))].map(([id, { ReservedConcurrentExecutions, TracingConfig }]) => [
    id.replace("LambdaFunction", ""),
    [TracingConfig.Mode, ReservedConcurrentExecutions],
  ]);
  expect(Object.fromEntries(settings)).toMatchObject({
    ...{ CreateOrder: ["Active", 200], CompleteOrder: ["Active", 200], GetOrder: ["Active", undefined] },
    ...{ DrainRefunds: ["Active", 2], SweepOrders: ["Active", 2] },
  });
});

/** What nobody has to reason about, but what should not change unnoticed. */
test("the rest of the stack is as reviewed", () => {
  const { Resources, Outputs } = templateOf("prod");
  const functions = [...functionsOf(templateOf("prod"))].map(([id, each]) => {
    const { Environment, MemorySize, Timeout, Runtime, Architectures, LoggingConfig, TracingConfig } = each;
    const settings = [`${MemorySize} MB`, `${Timeout} s`, Runtime, ...Architectures, LoggingConfig, TracingConfig];
    return [
      id,
      [...settings, ...Object.keys(Environment.Variables)]
        .map((value) => (typeof value === "string" ? value : Object.values(value).join()))
        .join(" "),
    ];
  });
  const propertiesOf = (...types: string[]) =>
    Object.fromEntries(
      Object.entries(Resources).flatMap(([id, { Type, Properties }]) =>
        types.includes(Type) ? [[id, Properties]] : [],
      ),
    );
  expect({
    resources: Object.entries(Resources)
      .map(([id, { Type }]) => `${Type} ${id.replace(/LambdaVersion\w+$/, "LambdaVersion")}`)
      .toSorted(),
    outputs: Object.keys(Outputs).toSorted(),
    functions: Object.fromEntries(functions),
    ...propertiesOf("AWS::SQS::Queue", "AWS::Scheduler::ScheduleGroup", "AWS::Lambda::EventInvokeConfig"),
    createOrder: functionsOf(templateOf("prod")).get("CreateOrderLambdaFunction")?.Environment.Variables,
  }).toMatchSnapshot();
});

test("the same sources make the same package, so that an unchanged deploy is skipped", async () => {
  const again = await packager.package(...PACKAGES.dev);
  const comparable = ({ files }: Package) =>
    Object.fromEntries([...files].map(([name, text]) => [name, text.replaceAll(UPLOAD_TIME, "")]));

  expect(comparable(again)).toEqual(comparable(packageOf("dev")));
});

test("prod is not packaged until somebody chooses who may call it", async () => {
  await expect(packager.package("--stage", "prod")).rejects.toThrow(
    /\nError:\naccess is not set for the stage prod: set it to jwt or open in infra\/parameters\.yml .+\n/,
  );
});

test("a wrong parameter ends everything in one line", async () => {
  await expect(packager.package("--param", "throttleRate=many")).rejects.toThrow(
    /\nError:\nWrong parameters in infra\/parameters\.yml or --param: throttleRate must be a number, 0 or more\n/,
  );
});
