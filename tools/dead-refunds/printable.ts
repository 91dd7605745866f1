/** Well-formed UTF-8 by characters, and single bytes where it is none (RFC 3629, section 4), on a latin1 string. */
const UNITS = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\s\S]/g;

/** What would move a terminal's cursor, hide, or turn the reading direction; and what marks an ill-formed sequence. */
const UNSEEN = /\p{C}|\p{Zl}|\p{Zp}|\ufffd/u;

/** Bytes as one line of text: what is no visible character, or no UTF-8, is shown as `\xNN`, and a backslash twice. */
export function printable(bytes: Buffer): string {
  return bytes.toString("latin1").replace(UNITS, (unit) => {
    const character = Buffer.from(unit, "latin1").toString("utf8");
    if (UNSEEN.test(character)) return escaped(unit);
    return character === "\\" ? "\\\\" : character;
  });
}

const escaped = (unit: string): string =>
  Array.from(unit, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");
