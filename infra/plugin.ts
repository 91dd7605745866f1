import { accessLogFormat, cors } from "./api.ts";
import { checkDeployment, type Finding, type SecretsConfig } from "./doctor.ts";
import { type Parameters, readParameters } from "./parameters.ts";
import { type RollbackConfiguration, rollbackConfiguration, WITHOUT_TRIGGERS } from "./rollback-triggers.ts";
import { stackResources } from "./stack.ts";

/** The part of the framework that the plugin uses. The framework's package has no types. */
interface Serverless {
  readonly processedInput: {
    readonly commands: readonly string[];
    readonly options: { readonly param?: readonly string[] };
    /** With `--help`, variables of serverless.yml are not resolved. */
    readonly isHelpRequest: boolean;
  };
  readonly configurationInput: {
    readonly service: string;
    readonly params: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  readonly service: {
    readonly provider: {
      readonly region: string;
      readonly stage: string;
      /** Sent with each update of the stack. */
      rollbackConfiguration?: RollbackConfiguration;
    };
  };
  readonly classes: { readonly Error: new (message: string) => Error };
  getProvider(name: "aws"): { getAwsSdkV3Config(): Promise<SecretsConfig> };
}

interface Writers {
  readonly log: { notice(line: string): void };
}

/**
 * Validates the parameters before anything else happens, has CloudFormation watch a deploy, provides the values that are computed from them as `${infra:…}` in
 * serverless.yml, and checks before a deploy, or as `npm run doctor`, that secret and database are usable.
 */
export default class InfrastructurePlugin {
  readonly configurationVariablesSources;
  readonly commands = {
    // The framework has a `doctor` of its own.
    check: {
      usage: "Checks that a stage can be deployed: parameters, credentials, secret and database",
      lifecycleEvents: ["check"],
    },
  };
  readonly hooks = {
    initialize: () => this.#beforeDeploy(),
    "before:package:initialize": () => this.#assertAccessChosen(),
    "check:check": () => this.#doctor(),
    "before:deploy:deploy": () => this.#watchDeploy(),
    "before:rollback:initialize": () => this.#watchNothing(),
  };

  readonly #serverless: Serverless;
  readonly #log: Writers["log"];
  readonly #stage: string;
  /** Undefined with `--help`. */
  readonly #given: Parameters | undefined;

  constructor(serverless: Serverless, _options: unknown, { log }: Writers) {
    this.#serverless = serverless;
    this.#log = log;
    this.#stage = serverless.service.provider.stage;
    this.#given = serverless.processedInput.isHelpRequest ? undefined : this.#readParameters();
    const stack = `${serverless.configurationInput.service}-${this.#stage}`;
    const values = this.#given === undefined ? {} : valuesOf(stack, this.#given);
    this.configurationVariablesSources = {
      // `null` means an unknown name, which the framework refuses. A parameter without a value is an empty string.
      infra: {
        resolve: async ({ address }: { readonly address: string }) => ({
          value: address in values ? (values[address] ?? "") : null,
        }),
      },
    };
  }

  get #parameters(): Parameters {
    if (this.#given === undefined) throw new Error("No hook runs with --help");
    return this.#given;
  }

  #readParameters(): Parameters {
    const { configurationInput, processedInput } = this.#serverless;
    try {
      return readParameters({
        default: configurationInput.params.default ?? {},
        stage: configurationInput.params[this.#stage] ?? {},
        commandLine: processedInput.options.param ?? [],
      });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // The framework prints the stack of any other error.
      throw new this.#serverless.classes.Error(error.message);
    }
  }

  /** Refuses packaging only: a local run, a rollback and `serverless logs` do not need the choice. */
  #assertAccessChosen(): void {
    if (this.#parameters.access !== "") return;
    throw new this.#serverless.classes.Error(
      `access is not set for the stage ${this.#stage}: set it to jwt or open in infra/parameters.yml ` +
        '(docs/operations.md, "Protect the API")',
    );
  }

  async #beforeDeploy(): Promise<void> {
    if (this.#serverless.processedInput.commands.join(" ") !== "deploy") return;
    if (this.#parameters.doctor === "skip") this.#log.notice("Checks skipped: doctor=skip");
    else await this.#doctor();
  }

  async #watchDeploy(): Promise<void> {
    const { provider } = this.#serverless.service;
    const stack = `${this.#serverless.configurationInput.service}-${this.#stage}`;
    const aws = await this.#serverless.getProvider("aws").getAwsSdkV3Config();
    provider.rollbackConfiguration = await rollbackConfiguration(stack, this.#parameters.rollbackMinutes, aws);
    const { RollbackTriggers, MonitoringTimeInMinutes } = provider.rollbackConfiguration;
    if (RollbackTriggers.length === 0) return;
    this.#log.notice(
      `CloudFormation watches ${RollbackTriggers.length} alarms for ${MonitoringTimeInMinutes} minutes after the deploy, and takes it back if one starts`,
    );
  }

  /** A rollback is made while alarms start. None of them may take it back. */
  #watchNothing(): void {
    this.#serverless.service.provider.rollbackConfiguration = WITHOUT_TRIGGERS;
  }

  async #doctor(): Promise<void> {
    const findings = await checkDeployment({
      service: this.#serverless.configurationInput.service,
      stage: this.#stage,
      region: this.#serverless.service.provider.region,
      parameters: this.#parameters,
      aws: await this.#serverless.getProvider("aws").getAwsSdkV3Config(),
    });
    for (const finding of findings) this.#log.notice(`${MARKS[finding.level]} ${finding.message}`);
    const problems = findings.filter(({ level }) => level === "problem").length;
    if (problems === 0) return;
    throw new this.#serverless.classes.Error(
      `${problems === 1 ? "1 problem" : `${problems} problems`} to fix before stage ${this.#stage} can be deployed (✖ above)`,
    );
  }
}

/** The values of `${infra:…}`. */
function valuesOf(stack: string, parameters: Parameters): Readonly<Record<string, unknown>> {
  return {
    ...parameters,
    accessLogFormat,
    cors: cors(parameters),
    resources: stackResources(stack, parameters),
    // Environment variables are text.
    completedStreamMaxLength: String(parameters.completedStreamMaxLength),
    orderRetentionDays: String(parameters.orderRetentionDays),
  };
}

const MARKS: Readonly<Record<Finding["level"], string>> = { ok: "✔", note: "•", problem: "✖" };
