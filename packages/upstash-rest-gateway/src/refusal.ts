/**
 * A whole request that is answered with `{"error": message}` and an HTTP status instead of replies.
 * `message` starts with an error code as Redis writes it ("ERR ...", "NOPERM ..."), since clients read it that way.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
