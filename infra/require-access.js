/**
 * Refuses to package a stage whose `access` nobody has chosen. Only packaging is refused: a run on one machine, a rollback
 * or a look at the logs need no choice.
 */
export default class RequireAccess {
  constructor({ service, classes }) {
    this.hooks = {
      "before:package:initialize": () => {
        if (service.custom.access) return;
        throw new classes.Error(
          `access is not set for the stage ${service.provider.stage}: set it to jwt or open in infra/parameters.yml ` +
            '(docs/operations.md, "Protect the API")',
        );
      },
    };
  }
}
