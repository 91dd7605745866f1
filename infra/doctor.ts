import {
  GetSecretValueCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from "@aws-sdk/client-secrets-manager";
import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { LOOPBACK, UpstashUrl } from "../lib/env.ts";
import { createRedis } from "../lib/redis/client.ts";
import { TOKEN_REFUSED } from "../lib/redis/commands.ts";
import type { Parameters } from "./parameters.ts";

/** One line. A problem names its fix. A note needs no fix, or only a person can check it. */
export interface Finding {
  readonly level: "ok" | "note" | "problem";
  readonly message: string;
}

export type SecretsConfig = SecretsManagerClientConfig;

export interface Deployment {
  readonly service: string;
  readonly stage: string;
  readonly region: string;
  readonly parameters: Pick<Parameters, "access" | "alarmEmail" | "docsUrl">;
  /** Region and credentials of the deploy. */
  readonly aws: SecretsConfig;
}

/** A part of the default of `docsUrl`. */
const PLACEHOLDER = "/your-org/";

const GUIDE = 'docs/operations.md, "First deploy"';

/** Keys that no order uses. The Redis users of a token rotation may read and write them. */
const WRITTEN_KEY = "order:doctor";
const READ_KEY = "order:none";
const EXPIRY_MS = 1_000;

type Command = readonly [name: string, ...args: (string | number)[]];

/** Without white space: Upstash refuses a token that was pasted with a line break, with an error that does not say why. */
const Token = z.string().regex(/^\S+$/);
const Secret = z.object({
  // Plain http is for a local gateway only.
  url: z.string().refine((text) => UpstashUrl.safeParse(text).success, { error: "must be the https address" }),
  token: Token,
  read_only_token: Token,
});
type Secret = z.infer<typeof Secret>;

const problem = (message: string): Finding => ({ level: "problem", message });
const note = (message: string): Finding => ({ level: "note", message });
const ok = (message: string): Finding => ({ level: "ok", message });

/**
 * The requirements of a deployment: the parameters without a default are set, the secret can be read and is complete, and the
 * database supports what the service needs.
 */
export async function checkDeployment(deployment: Deployment): Promise<Finding[]> {
  const name = `${deployment.service}/${deployment.stage}/redis`;
  const secret = await readSecret(name, deployment).catch((error: unknown) => secretProblem(name, deployment, error));
  return [
    ...checkParameters(deployment),
    ...("level" in secret ? [secret] : [ok(`Secret ${name} is complete`), ...(await checkDatabase(secret))]),
  ];
}

function checkParameters({ stage, parameters }: Deployment): Finding[] {
  const unset = (name: string, values: string) =>
    problem(`${name} is not set for the stage ${stage}: set it to ${values} in infra/parameters.yml`);
  return [
    ...(parameters.access === "" ? [unset("access", "jwt or open")] : []),
    ...(parameters.alarmEmail === "" ? [unset("alarmEmail", "an address or none")] : []),
    ...(parameters.docsUrl.includes(PLACEHOLDER) && (stage === "prod" || parameters.alarmEmail.includes("@"))
      ? [
          problem(
            `docsUrl is the placeholder, so alarms would link to nowhere: set it in infra/parameters.yml (${GUIDE})`,
          ),
        ]
      : []),
  ];
}

async function readSecret(name: string, { aws }: Deployment): Promise<Secret | Finding> {
  const { SecretString = "" } = await new SecretsManagerClient(aws).send(new GetSecretValueCommand({ SecretId: name }));
  const secret = Secret.safeParse(parseJson(SecretString));
  if (secret.success) return secret.data;
  const wrong = secret.error.issues.map(({ path }) => path.join(".")).filter(Boolean);
  const fields = wrong.length > 0 ? `: wrong or missing ${wrong.join(", ")}` : " is not a JSON object";
  return problem(`Secret ${name}${fields}. It needs url (https), token and read_only_token: write it again (${GUIDE})`);
}

function secretProblem(name: string, { region }: Deployment, error: unknown): Finding {
  if (!(error instanceof Error)) throw error;
  // The framework's message has its fix.
  if ("code" in error && error.code === "AWS_CREDENTIALS_NOT_FOUND") return problem(error.message);
  switch (error.name) {
    case "ResourceNotFoundException":
      return problem(`Secret ${name} does not exist in ${region}: create it (${GUIDE})`);
    case "AccessDeniedException":
      return problem(
        `Access to secret ${name} is denied: allow secretsmanager:GetSecretValue (docs/operations.md, "Rights")`,
      );
    case "UnrecognizedClientException":
    case "ExpiredTokenException":
      return problem(`AWS refuses the credentials (${oneLine(error)}): log in again`);
    default:
      return problem(`Secret ${name} cannot be read in ${region}: ${oneLine(error)}`);
  }
}

async function checkDatabase({ url, token, read_only_token }: Secret): Promise<Finding[]> {
  const { host, hostname } = new URL(url);
  if (LOOPBACK.test(hostname)) {
    return [
      problem(
        `The database ${host} is on this machine, where Lambda cannot reach it: put the url of Upstash into the secret`,
      ),
    ];
  }
  return checkReachable(host, { url, token, read_only_token });
}

/** @param host names the database in findings */
export async function checkReachable(host: string, { url, token, read_only_token }: Secret): Promise<Finding[]> {
  const client = (value: string) => createRedis({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: value });
  const [writer, reader] = [client(token), client(read_only_token)];
  const unusable = await writer.exec<unknown>(["PING"]).then(
    () => undefined,
    (error: unknown) => unusableDatabase(host, error),
  );
  if (unusable) return [unusable];
  return [await checkWrite(writer), ...(await checkReadOnly(reader)), ...(await describeServer(writer))];
}

/** Why a database does not answer PING: where it is, whether it is well, the token, and its state each have their own fix. */
function unusableDatabase(host: string, error: unknown): Finding {
  const reason = oneLine(error);
  if (error instanceof Error && error.name === "TimeoutError") {
    return problem(`The database ${host} does not answer in time: ${reason}. Try again, and see Upstash's status page`);
  }
  if (error instanceof Error && "code" in error) {
    return problem(`The database ${host} cannot be reached: ${reason}. Check the url, and that the database exists`);
  }
  if (TOKEN_REFUSED.test(reason)) {
    return problem(`The database ${host} refuses the token: ${reason}. Copy it again from the console`);
  }
  return problem(`The database ${host} answers, but runs no commands: ${reason}. See its state in Upstash's console`);
}

/** SET with NX and GET needs Redis 7.0 (https://redis.io/docs/latest/commands/set/), and every new order uses it. */
async function checkWrite(writer: Redis): Promise<Finding> {
  const failure = await failureOf(writer, ["SET", WRITTEN_KEY, "1", "NX", "GET", "PX", EXPIRY_MS]);
  if (failure === undefined) return ok("token writes, and the database is compatible with Redis 7");
  if (failure.includes("NOPERM"))
    return problem("token must not write: put the standard token there, not the read-only one");
  if (/syntax/i.test(failure)) return problem(`The database is older than Redis 7.0 (${failure}): create a new one`);
  return problem(`token cannot write: ${failure}`);
}

async function checkReadOnly(reader: Redis): Promise<Finding[]> {
  const unread = await failureOf(reader, ["HGETALL", READ_KEY]);
  if (unread !== undefined) return [problem(`read_only_token cannot read: ${unread}. Copy it again from the console`)];
  const refused = await failureOf(reader, ["DEL", WRITTEN_KEY]);
  if (refused?.includes("NOPERM")) return [ok("read_only_token reads and does not write")];
  return [
    problem(`read_only_token can write (${refused ?? "DEL was accepted"}): put the database's read-only token there`),
  ];
}

/**
 * What INFO reports. Upstash reports fewer fields than Redis (https://upstash.com/docs/redis/commands/server/info). The users
 * of a rotation may not run it, because it is in Redis's category @dangerous.
 */
async function describeServer(writer: Redis): Promise<Finding[]> {
  const info = await writer.exec<unknown>(["INFO"]).catch(() => "");
  const field = (name: string) => new RegExp(`^${name}:(.+)$`, "m").exec(String(info))?.[1]?.trim();
  const size = ["redis_version", "used_memory_human"].flatMap((name) => (field(name) ? `${name} ${field(name)}` : []));
  const policy = field("maxmemory_policy");
  return [
    ...(size.length > 0 ? [note(`The database reports ${size.join(", ")}`)] : []),
    policy === undefined
      ? note("The database does not report its eviction policy: see in the console that eviction is off")
      : policy === "noeviction"
        ? ok("Eviction is off")
        : problem(`Eviction is on (${policy}), which loses orders: switch it off in the console`),
  ];
}

/** The error of a command, or nothing when it succeeded. */
async function failureOf(redis: Redis, command: Command): Promise<string | undefined> {
  return redis.exec<unknown>([...command]).then(
    () => undefined,
    (error: unknown) => oneLine(error),
  );
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, " ").trim();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
