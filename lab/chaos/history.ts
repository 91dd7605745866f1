/** Every order's product is named after its number, so that each call and entry shows its order. */
export const productOf = (order: number): string => `chaos-${order}`;

const PRODUCT = /\bchaos-(\d+)\b/;
const PK = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;
const KEPT_NOTES = 400;

export type Journal = ReturnType<typeof createJournal>;

/** The number of the order whose product stands in `content`. */
export function numberIn(content: string): number | undefined {
  const number = PRODUCT.exec(content)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** What happened to each order, by its number, as far as anybody saw it. */
export function createJournal() {
  const startedMs = Date.now();
  const notes = new Map<number, string[]>();
  const orders = new Map<string, number>();

  function note(order: number, text: string): void {
    const lines = notes.get(order) ?? [];
    if (lines.length < KEPT_NOTES) lines.push(`${((Date.now() - startedMs) / 1000).toFixed(3).padStart(9)} s  ${text}`);
    notes.set(order, lines);
  }

  function ordersIn(content: string): Set<number> {
    const known = (content.match(PK) ?? []).flatMap((pk) => orders.get(pk) ?? []);
    return new Set([numberIn(content) ?? [], known].flat());
  }

  return {
    note,
    /** Notes it for every order whose pk or product stands in `content`. */
    noteAll(content: string, text: string): void {
      for (const order of ordersIn(content)) note(order, text);
    },
    /** From now on the pks in `content` belong to the order whose product it names. Returns them; none without a product. */
    learn(content: string): string[] {
      const order = numberIn(content);
      const pks = order === undefined ? [] : (content.match(PK) ?? []);
      for (const pk of pks) if (order !== undefined && !orders.has(pk)) orders.set(pk, order);
      return pks;
    },
    /** The order that `content` is about, by its product or by the first pk that is known. */
    orderIn: (content: string) => ordersIn(content).values().next().value,
    history: (order: number) => notes.get(order) ?? [],
  };
}
