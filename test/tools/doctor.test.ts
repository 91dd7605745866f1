import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { startUpstashGateway, type UpstashGateway } from "upstash-rest-gateway";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { checkDeployment, checkReachable } from "../../infra/doctor.ts";
import { listen } from "../../local/ports.ts";
import { useRedis } from "../support/redis.ts";
import { runScript } from "../support/run.ts";
import { answering, json as reply, silent } from "../support/servers.ts";

const SERVERLESS = "node_modules/serverless/bin/serverless.js";
const NAME = "orders/dev/redis";
const KEYS = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" };

const SecretRequest = z.object({ SecretId: z.string() });

/** What Secrets Manager has, by name, and the error for what it has not. */
const secrets = new Map<string, string>();
let awsError = "ResourceNotFoundException";
/** The operations that were asked of AWS; S3 and CloudFormation name none in this header. */
const asked: string[] = [];

/** Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
const aws = createServer(async (request, response) => {
  const operation = String(request.headers["x-amz-target"] ?? `${request.method} ${request.url}`);
  asked.push(operation);
  const name = operation.endsWith("GetSecretValue") ? SecretRequest.parse(await json(request)).SecretId : "";
  const SecretString = secrets.get(name);
  response.statusCode = SecretString === undefined ? 400 : 200;
  response.setHeader("content-type", "application/x-amz-json-1.1");
  response.end(JSON.stringify(SecretString === undefined ? { __type: awsError, message: "no" } : { SecretString }));
});

const redis = useRedis();
let database: UpstashGateway;
let endpoint: string;

beforeAll(async () => {
  database = await startUpstashGateway({ redisUrl: redis.url });
  endpoint = await listen(aws);
});
afterAll(async () => {
  await database.stop();
  await once(aws.close(), "close");
});
beforeEach(() => {
  secrets.clear();
  awsError = "ResourceNotFoundException";
  asked.length = 0;
});

const complete = () => ({ url: database.url, token: "local", read_only_token: "local-readonly" });
const store = (secret: object | string) =>
  secrets.set(NAME, typeof secret === "string" ? secret : JSON.stringify(secret));

async function problems(parameters: Partial<Parameters<typeof checkDeployment>[0]["parameters"]> = {}, stage = "dev") {
  const findings = await checkDeployment({
    service: "orders",
    stage,
    region: "eu-central-1",
    parameters: { access: "open", alarmEmail: "none", docsUrl: "https://wiki.example.com/orders", ...parameters },
    aws: { region: "eu-central-1", endpoint, credentials: KEYS },
  });
  for (const { message } of findings) expect(message).not.toMatch(/\n|local-readonly/);
  return findings.filter(({ level }) => level === "problem").map(({ message }) => message);
}

/** What is wrong with a database, which in tests is on this machine. */
async function databaseProblems(secret: Partial<ReturnType<typeof complete>> = {}) {
  const findings = await checkReachable("db.example.com", { ...complete(), ...secret });
  for (const { message } of findings) expect(message).not.toMatch(/\n|local-readonly/);
  return findings.filter(({ level }) => level === "problem").map(({ message }) => message);
}

/** Has the database run its commands as a user with these rights, until the test ends. */
async function databaseOf(...rights: string[]): Promise<string> {
  await redis.client.sendCommand(["ACL", "SETUSER", "limited", "on", ">word", ...rights]);
  const gateway = await startUpstashGateway({ redisUrl: redis.url.replace("redis://", "redis://limited:word@") });
  onTestFinished(() => gateway.stop());
  return gateway.url;
}

test("a fit database has no problem, and nothing stays in it", async () => {
  expect(await databaseProblems()).toEqual([]);
  await expect.poll(() => redis.client.dbSize()).toBe(0);
});

test("a database on this machine is refused: Lambda cannot reach it", async () => {
  store(complete());

  expect(await problems()).toEqual([expect.stringMatching(/^The database 127\S+ is on this machine, where Lambda/)]);
});

test.for([
  ["prod", "none", 1],
  ["dev", "on-call@example.com", 1],
  ["dev", "none", 0],
] as const)(
  "%s whose alarms go to %s has %d problem with the placeholder of docsUrl",
  async ([stage, alarmEmail, count]) => {
    const docsUrl = "https://github.com/your-org/orders/blob/main/docs/operations.md";
    const found = await problems({ alarmEmail, docsUrl }, stage);

    expect(found.filter((message) => message.startsWith("docsUrl is the placeholder"))).toHaveLength(count);
  },
);

test("parameters that were not chosen are named", async () => {
  expect(await problems({ access: "", alarmEmail: "" })).toEqual([
    "access is not set for the stage dev: set it to jwt or open in infra/parameters.yml",
    "alarmEmail is not set for the stage dev: set it to an address or none in infra/parameters.yml",
    expect.stringContaining("does not exist"),
  ]);
});

test.for([
  ["ResourceNotFoundException", `Secret ${NAME} does not exist in eu-central-1: create it`],
  ["AccessDeniedException", "allow secretsmanager:GetSecretValue"],
  ["ExpiredTokenException", "AWS refuses the credentials (no): log in again"],
  ["InvalidParameterException", `Secret ${NAME} cannot be read in eu-central-1: no`],
] as const)("%s of AWS becomes a line with its fix", async ([name, message]) => {
  awsError = name;

  expect(await problems()).toEqual([expect.stringContaining(message)]);
});

const TOKENS = { token: "x", read_only_token: "y" };

test.for<[string, secret: object | string, reason: string]>([
  ["without a field", { url: "https://a", token: "x" }, "wrong or missing read_only_token"],
  ["with a token that has a line break", { ...TOKENS, url: "https://a", token: "x\n" }, "wrong or missing token"],
  ["with plain http to another machine", { ...TOKENS, url: "http://a.upstash.io" }, "wrong or missing url"],
  ["with the address of the Redis protocol", { ...TOKENS, url: "rediss://a.upstash.io" }, "wrong or missing url"],
  ["that is not JSON", "url=https://a.upstash.io", "is not a JSON object"],
])("a secret %s is refused", async ([, secret, reason]) => {
  store(secret);

  expect(await problems()).toEqual([expect.stringContaining(reason)]);
});

test.for<[string, () => Promise<object> | object, RegExp]>([
  ["refuses the token", () => ({ token: "another" }), /refuses the token: .*WRONGPASS.*\. Copy it again/],
  ["is not there", () => ({ url: "http://127.0.0.1:1" }), /cannot be reached: .*ECONNREFUSED.*\. Check the url/],
  ["does not answer", async () => ({ url: await silent() }), /does not answer in time: .+\. Try again/],
  [
    "is frozen",
    async () => ({ url: await answering(reply(400, { error: "ERR the database is frozen" })) }),
    /answers, but runs no commands: ERR the database is frozen\. See its state/,
  ],
])("a database that %s has a finding of its own", async ([, secret, finding]) => {
  expect(await databaseProblems(await secret())).toEqual([expect.stringMatching(finding)]);
});

test("a database that does not know what Redis 7 knows is refused", async () => {
  const old = await answering(async (request, response) => {
    const [name] = z.array(z.unknown()).parse(await json(request));
    const answer = name === "SET" ? reply(400, { error: "ERR syntax error" }) : reply(200, { result: "" });
    answer(request, response);
  });
  expect(await databaseProblems({ url: old })).toContain(
    "The database is older than Redis 7.0 (ERR syntax error): create a new one",
  );
});

test.for<[secret: () => object | Promise<object>, ...problems: string[]]>([
  [() => ({ token: "local-readonly", read_only_token: "local" }), "token must not write", "read_only_token can write"],
  [async () => ({ url: await databaseOf("~*", "+@all", "-hgetall") }), "read_only_token cannot read"],
])("tokens in each other's place, and one that cannot read orders, are noticed", async ([secret, ...expected]) => {
  expect(await databaseProblems(await secret())).toEqual(expected.map((problem) => expect.stringContaining(problem)));
});

test("a database that evicts is refused; where it does not tell, that is no problem", async () => {
  await redis.client.configSet("maxmemory-policy", "allkeys-lru");
  onTestFinished(async () => void (await redis.client.configSet("maxmemory-policy", "noeviction")));
  expect(await databaseProblems()).toEqual([expect.stringContaining("Eviction is on (allkeys-lru)")]);

  expect(await databaseProblems({ url: await databaseOf("~*", "+@all", "-info") })).toEqual([]);
});

const WITH_KEYS = { AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey };

/** Runs the framework as someone whose AWS is the server of this file. */
const serverless = (args: string[], keys: object = WITH_KEYS) =>
  runScript(SERVERLESS, args, {
    ...{ PATH: process.env.PATH, HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true", AWS_ENDPOINT_URL: endpoint },
    ...keys,
  });

test("npm run doctor prints a line for each check, and ends with 1 after a problem", async () => {
  store(complete());

  const { code, stdout, stderr } = await serverless(["check"]);

  expect(stderr).toContain(`✔ Secret ${NAME} is complete\n`);
  expect(stderr).toMatch(/^✖ The database 127\S+ is on this machine/m);
  expect(stdout).toContain("1 problem to fix before stage dev can be deployed");
  expect(code).toBe(1);
});

test.for<[keys: object, problem: RegExp]>([
  [WITH_KEYS, /^✖ Secret orders\/dev\/redis does not exist/m],
  [{}, /^✖ AWS provider credentials not found\. Learn how to set up AWS provider credentials .+\.$/m],
])("with the keys %o a deploy ends with a problem before it builds or uploads anything", async ([keys, problem]) => {
  const { code, stdout, stderr } = await serverless(["deploy"], keys);

  expect(stderr).toMatch(problem);
  expect(stdout).toContain("1 problem to fix before stage dev can be deployed");
  expect(code).toBe(1);
  // The framework asks STS whose account it is.
  expect(asked.filter((operation) => !/GetSecretValue|^POST \/$/.test(operation))).toEqual([]);
});

test("in an emergency the checks can be skipped", async () => {
  const { stderr } = await serverless(["deploy", "--param", "doctor=skip", "--package", "none"]);

  expect(stderr).toContain("Checks skipped");
  expect(asked.filter((operation) => operation.endsWith("GetSecretValue"))).toEqual([]);
});

test.for(["--help", "deploy --help", "offline start --help", "check --help"])("serverless %s is help", async (args) => {
  const { code, stdout, stderr } = await serverless(args.split(" "), {});

  expect(stdout).toMatch(/^--help \/ -h +Show this message$/m);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("what does not package needs no choice of access", async () => {
  expect(await serverless(["print", "--stage", "prod"])).toMatchObject({ code: 0 });
});
