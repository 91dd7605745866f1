/** Every order's product is named after its number, so that whatever passes by can be told to belong to it. */
export const productOf = (order: number): string => `chaos-${order}`;

const PRODUCT = /\bchaos-(\d+)\b/;
const PK = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;
const KEPT_NOTES = 400;

/** What happened to each order, by its number, as far as anybody saw it. */
export interface Journal {
  note(order: number | undefined, text: string): void;
  /** Notes it for every order whose pk or product stands in `content`. */
  noteAll(content: string, text: string): void;
  /** From now on the pks in `content` belong to the order whose product it names. Returns them; none without a product. */
  learn(content: string): readonly string[];
  /** The order that `content` is about, by its product or by the first pk that is known. */
  orderIn(content: string): number | undefined;
  /** When a pk was first seen, in ms since the epoch. */
  firstSeen(pk: string): number | undefined;
  history(order: number): readonly string[];
}

export function createJournal(): Journal {
  const startedMs = Date.now();
  const notes = new Map<number, string[]>();
  const pks = new Map<string, { order: number; firstSeenMs: number }>();

  function note(order: number | undefined, text: string): void {
    if (order === undefined) return;
    const lines = notes.get(order) ?? [];
    if (lines.length < KEPT_NOTES) lines.push(`${((Date.now() - startedMs) / 1000).toFixed(3).padStart(9)} s  ${text}`);
    notes.set(order, lines);
  }

  function ordersIn(content: string): Set<number> {
    const named = PRODUCT.exec(content)?.[1];
    const known = (content.match(PK) ?? []).flatMap((pk) => pks.get(pk)?.order ?? []);
    return new Set(named === undefined ? known : [Number(named), ...known]);
  }

  return {
    note,
    noteAll(content, text) {
      for (const order of ordersIn(content)) note(order, text);
    },
    learn(content) {
      const named = PRODUCT.exec(content)?.[1];
      if (named === undefined) return [];
      const found = content.match(PK) ?? [];
      for (const pk of found) {
        if (!pks.has(pk)) pks.set(pk, { order: Number(named), firstSeenMs: Date.now() });
      }
      return found;
    },
    orderIn: (content) => ordersIn(content).values().next().value,
    firstSeen: (pk) => pks.get(pk)?.firstSeenMs,
    history: (order) => notes.get(order) ?? [],
  };
}

const MAX_LINE_LENGTH = 600;

/** Puts the log lines of the functions that name an order into that order's history; metrics are left out. */
export function createLog(journal: Journal) {
  return (line: string, _functionName: string, instanceId: string): void => {
    if (line.includes('"_aws"')) return;
    journal.noteAll(line, `log of ${instanceId}: ${line.slice(0, MAX_LINE_LENGTH)}`);
  };
}
