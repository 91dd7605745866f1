import type { Journal } from "./journal.ts";

const LONGEST_LINE = 600;

/** Puts the log lines of the functions that name an order into that order's history; metrics are left out. */
export function createLog(journal: Journal) {
  return (line: string, _functionName: string, instanceId: string): void => {
    if (line.includes('"_aws"')) return;
    journal.noteAll(line, `log of ${instanceId}: ${line.slice(0, LONGEST_LINE)}`);
  };
}
