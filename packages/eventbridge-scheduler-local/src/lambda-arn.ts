import { validationError } from "./errors.ts";

const LAMBDA_ARN =
  /^arn:(?<partition>aws(?:-[a-z]+)*):lambda:(?<region>[a-z0-9-]+):(?<account>\d{12}):function:(?<name>[a-zA-Z0-9-_]+)(?::(?<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?$/;

/** A function, and where it lives: a schedule lives in the same partition, Region and account. */
export interface LambdaFunction {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly name: string;
  /** Version or alias. */
  readonly qualifier: string | undefined;
}

/** @throws SchedulerError a ValidationException when `arn` is not that of a Lambda function, the only target here. */
export function parseLambdaArn(arn: string): LambdaFunction {
  if (!arn.startsWith("arn:")) throw validationError("Provided Arn is not in correct format.");
  const { partition, region, account, name, qualifier } = LAMBDA_ARN.exec(arn)?.groups ?? {};
  if (!partition || !region || !account || !name) {
    throw validationError(`Provided Arn ${arn} is not a Lambda function: this local stand-in invokes nothing else.`);
  }
  return { partition, region, account, name, qualifier };
}
