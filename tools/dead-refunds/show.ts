import { once } from "node:events";
import type { Letter, Piece } from "./letters.ts";
import { printable } from "./printable.ts";

const HEAD = ["dead_reason", "dead_id", "dead_at"];
const MAX_NAME_WIDTH = 24;

/** A dead letter for people: a line that says which, why and when, then a line for each of the request's own fields. */
export function showLetter({ id, pieces, fields }: Letter): string {
  const head = HEAD.map((name, at) => (textOf(pieces[2 * at]) === name ? textOf(pieces[2 * at + 1]) : undefined));
  const [reason, firstId, at] = head;
  const isWhole = head.every((value) => value !== undefined);
  const own = isWhole ? pieces.slice(2 * HEAD.length) : pieces;
  const left = fields - pieces.length / 2;
  return [
    isWhole ? `${id}  ${reason}  ${at}  first id ${firstId}` : `${id}  was not written by the refund poller`,
    ...table(own),
    ...(left > 0 ? [`    … and ${left.toLocaleString("en")} more fields`] : []),
    "",
  ].join("\n");
}

/** Writes a line, no faster than the reader reads. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/** `1 dead letter`, `2,000 dead letters` */
export function deadLetters(count: number): string {
  return `${count.toLocaleString("en")} dead letter${count === 1 ? "" : "s"}`;
}

/** Why a letter was refused. */
export function reasonOf({ pieces }: Letter): string {
  return textOf(pieces[0]) === HEAD[0] ? (textOf(pieces[1]) ?? "") : "unknown";
}

function table(pieces: readonly Piece[]): string[] {
  const names = pieces.flatMap((piece, at) => (at % 2 === 0 ? [cutText(piece)] : []));
  const width = Math.min(MAX_NAME_WIDTH, Math.max(...names.map((name) => name.length)));
  return names.map((name, at) => `    ${name.padEnd(width)}  ${cutText(pieces[2 * at + 1])}`.trimEnd());
}

function textOf(piece: Piece | undefined): string | undefined {
  return piece && cutText(piece);
}

function cutText(piece: Piece | undefined): string {
  if (!piece) return "";
  const text = printable(piece.start);
  return piece.length > piece.start.length ? `${text}… (${piece.length.toLocaleString("en")} bytes)` : text;
}
