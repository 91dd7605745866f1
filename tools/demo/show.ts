import { styleText } from "node:util";
import { Listr, ListrLogger, ProcessOutput } from "listr2";

/** What a row reports: a state that was reached, and more about it. */
export type Say = (state: string, detail?: string) => void;

/** Work that a person follows on a line of its own. It is over when its promise is settled. */
export interface Row {
  readonly label: string;
  /** Names the row where its lines are not under each other. */
  readonly pk?: string;
  work(say: Say): Promise<void>;
}

export interface Show {
  line(text: string): void;
  /** Does the work of all rows at once and ends when all are settled. A row that fails does not stop the others. */
  rows(rows: readonly Row[]): Promise<void>;
}

const COLOURS: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  pending: "yellow",
  completed: "cyan",
  refunded: "green",
  "dead letter": "red",
};

/** As a shell tells the end by Ctrl-C: 128 and the signal's number. */
const INTERRUPTED = 130;

/** One line a row, which grows in place and has a spinner until its work is over. For a person at a terminal. */
export const terminalShow: Show = {
  line,
  async rows(rows) {
    const tasks = rows.map(({ label, work }) => ({
      title: label,
      task: async (_context: unknown, task: { title: string }) => {
        const states: string[] = [];
        await work((state, detail = "") => {
          states.push(`${styleText(COLOURS[state] ?? "reset", state)} ${detail}`.trimEnd());
          task.title = `${label}  ${states.join(" → ")}`;
        });
      },
    }));
    const output = new ProcessOutput();
    const list = new Listr(tasks, {
      concurrent: true,
      exitOnError: false,
      // Its own listener lets all work end before Ctrl-C has an effect.
      registerSignalListeners: false,
      rendererOptions: { logger: new ListrLogger({ processOutput: output }), showErrorMessage: false },
    });
    const interrupt = () => {
      // Gives the terminal its cursor back.
      output.release();
      process.exit(INTERRUPTED);
    };
    process.once("SIGINT", interrupt);
    await list.run();
    process.removeListener("SIGINT", interrupt);
  },
};

/** One line a report, without colour: for logs and pipes. */
export const plainShow: Show = {
  line,
  async rows(rows) {
    await Promise.allSettled(
      rows.map(async ({ label, pk, work }) => {
        const name = pk ? `${pk}  ${label}` : label;
        await work((state, detail = "") => line(`${name}  ${state} ${detail}`.trimEnd()));
      }),
    );
  },
};

/** Columns as wide as their widest cell, under their names. */
export function table(columns: readonly string[], entries: readonly Readonly<Record<string, string>>[]): string {
  if (entries.length === 0) return "(none)";
  const lines = [columns, ...entries.map((entry) => columns.map((column) => entry[column] ?? ""))];
  const widths = columns.map((_, at) => Math.max(...lines.map((cells) => cells[at]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}
