import type { ChildProcess } from "node:child_process";

const KEPT_CHARACTERS = 4_000;
const SHOWN_LINES = 10;

/** The last of what a child process wrote; also drains its pipes, which would otherwise fill up and stall it. */
export class Output {
  #text = "";

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        this.#text = (this.#text + chunk).slice(-KEPT_CHARACTERS);
      });
    }
  }

  lastLines(): string {
    return this.#text.trim().split("\n").slice(-SHOWN_LINES).join("\n");
  }
}
