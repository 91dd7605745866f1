/** Decimal digits only: `Number` takes an empty text for 0, and knows `Infinity`, `1e3` and `0x10`. */
const NUMBER = /^\d+(\.\d+)?$/;
const WHOLE_NUMBER = /^\d+$/;

/** Reads parameters of the stage by name, as `${param:name}` does in YAML. On the command line numbers are text. */
export const parameters = (resolveVariable) => {
  const text = (name) => resolveVariable(`param:${name}`);
  return {
    text,
    /** Finite and not negative. */
    number: async (name) => {
      const value = String(await text(name));
      if (NUMBER.test(value)) return Number(value);
      throw parameterError(`${name} must be a number, 0 or more`);
    },
    wholeNumber: async (name, min = 0) => {
      const value = String(await text(name));
      if (WHOLE_NUMBER.test(value) && Number(value) >= min) return Number(value);
      throw parameterError(`${name} must be a whole number, ${min} or more`);
    },
    list: async (name) =>
      (await text(name))
        .split(",")
        .map((item) => item.trim())
        .filter(Boolean),
  };
};

/** `orders-prod`: what the names of everything that belongs to a stage begin with. */
export const stackName = async (resolveVariable) =>
  `${await resolveVariable("self:service")}-${await resolveVariable("sls:stage")}`;

/** An error of which the framework prints the message only: it prints a stack where there is one. */
export function parameterError(message) {
  const error = new Error(message);
  error.stack = message;
  return error;
}
