const STREAM_ID = /^\d+-\d+$/;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Names and values in turn, one character a byte. */
export type Fields = readonly string[];

export interface Request {
  readonly id: string;
  readonly fields: Fields;
  /** When a poller took it last. */
  takenAt?: number;
}

export interface DeadLetter {
  readonly reason: string;
  readonly firstId: string;
  readonly at: string;
  readonly fields: Fields;
}

/** The last one counts. */
export function pkOf(fields: Fields): string | undefined {
  return fields.reduce<string | undefined>(
    (pk, name, at) => (at % 2 === 0 && name === "pk" ? fields[at + 1] : pk),
    undefined,
  );
}

/** A request that was a dead letter before has its first id before its own fields. */
export function firstIdAndFields({ id, fields }: Request): Pick<DeadLetter, "firstId" | "fields"> {
  const [name, firstId = ""] = fields;
  const wasDead = name === "dead_id" && STREAM_ID.test(firstId);
  return wasDead ? { firstId, fields: fields.slice(2) } : { firstId: id, fields };
}

/** Why a request is refused for which there is no order. */
export function refusal(pk: string | undefined): string {
  if (pk === undefined) return "missing_pk";
  return ULID.test(pk) ? "unknown_order" : "malformed_pk";
}
