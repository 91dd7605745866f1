/** Reads parameters of the stage by name, as `${param:name}` does in YAML. */
export const parameters = (resolveVariable) => ({
  text: (name) => resolveVariable(`param:${name}`),
  /** From the command line numbers come as text. */
  number: async (name) => {
    const value = Number(await resolveVariable(`param:${name}`));
    if (Number.isNaN(value)) throw new Error(`The parameter ${name} must be a number`);
    return value;
  },
  list: async (name) =>
    (await resolveVariable(`param:${name}`))
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
});

/** `orders-prod`: what the names of everything that belongs to a stage begin with. */
export const stackName = async (resolveVariable) =>
  `${await resolveVariable("self:service")}-${await resolveVariable("sls:stage")}`;
