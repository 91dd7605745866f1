/** What CloudFormation's Fn::Sub replaces: a logical id, one with an attribute (`Queue.Arn`), or `AWS::Region` and the like. */
export const reference = (to) => `\${${to}}`;

/** An ARN of the stack's own account and Region. */
export const ownArn = (service, resource) => ({
  "Fn::Sub": `arn:${reference("AWS::Partition")}:${service}:${reference("AWS::Region")}:${reference("AWS::AccountId")}:${resource}`,
});
