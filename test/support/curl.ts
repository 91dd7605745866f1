/** What a command line of curl asks for. */
export interface Curl {
  readonly url: string;
  readonly init: RequestInit;
  /** Whether the head of the reply is shown too (`-i`). */
  readonly showsHead: boolean;
}

/**
 * Reads a command line as the pages of the project have it: words, quoted words, and the options -i, -H and -d.
 * @throws Error for any other option, so that no example is sent other than it is written
 */
export function readCurl(command: string): Curl {
  const [program, ...words] = wordsOf(command);
  if (program !== "curl") throw new Error(`Not a command of curl: ${command}`);
  const headers = new Headers();
  let url = "";
  let body: string | undefined;
  let showsHead = false;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-i") showsHead = true;
    else if (word === "-H") {
      const [name = "", value = ""] = (words.shift() ?? "").split(/: */, 2);
      headers.set(name, value);
    } else if (word === "-d") {
      body = words.shift() ?? "";
      // As curl does, unless the command says what it sends.
      if (!headers.has("content-type")) headers.set("content-type", "application/x-www-form-urlencoded");
    } else if (word.startsWith("-")) throw new Error(`An option of curl that is not read here: ${word}`);
    else url = `http://${word}`;
  }
  return { url, init: body === undefined ? { headers } : { method: "POST", headers, body }, showsHead };
}

function wordsOf(command: string): string[] {
  const oneLine = command.replaceAll(/\\\n\s*/g, "");
  return [...oneLine.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
