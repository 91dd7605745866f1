import { afterEach, beforeEach, vi } from "vitest";
import { z } from "zod";

const LogLine = z.looseObject({ level: z.string().optional(), message: z.string().optional() });
export type LogLine = z.infer<typeof LogLine>;

export interface LogLines {
  /** Everything that was written to standard output and standard error in this test, as it was. */
  readonly text: string;
  /** The log lines: JSON all of them, metrics left out. */
  readonly logged: readonly LogLine[];
  /** Lines in CloudWatch's embedded metric format. */
  readonly metrics: readonly LogLine[];
}

/** Catches what the process writes while a test runs, which is what Lambda would send to CloudWatch. */
export function useLogLines(): LogLines {
  let text = "";

  beforeEach(() => {
    text = "";
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, "write").mockImplementation((chunk) => {
        text += String(chunk);
        return true;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const parsed = () =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => LogLine.parse(JSON.parse(line)));
  return {
    get text() {
      return text;
    },
    get logged() {
      return parsed().filter((line) => !("_aws" in line));
    },
    get metrics() {
      return parsed().filter((line) => "_aws" in line);
    },
  };
}
