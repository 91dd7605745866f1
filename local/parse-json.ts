/** A text as JSON; undefined for what is none, which every schema refuses as it refuses other JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
