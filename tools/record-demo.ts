import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import xterm, { type IBufferCell, type IBufferLine } from "@xterm/headless";
import { z } from "zod";
import { EXIT, Failure, parseOptions, runTool } from "./command.ts";

const USAGE = `npx node tools/record-demo.ts [--file docs/demo.svg]

Runs npm run demo in a pseudo-terminal and writes an animated SVG image of what the terminal shows, at its real speed.
Needs a running service (npm start in another terminal) and Linux's command script.
`;

const COMMAND = "npm run demo";
const [COLUMNS, ROWS] = [84, 30];
/** The spinners make almost every frame a new one, so this decides the size of the file. */
const FRAME_MS = 250;
/** How long the last frame stays before the animation starts again. */
const LAST_FRAME_MS = 5_000;

const [CELL_WIDTH, LINE_HEIGHT, PADDING] = [8, 17, 16];
const WIDTH = COLUMNS * CELL_WIDTH + 2 * PADDING;
const HEIGHT = ROWS * LINE_HEIGHT + 2 * PADDING;
/** ANSI's red, green, yellow, blue, magenta, cyan and grey, for a dark terminal. */
const COLOURS = new Map(
  Object.entries({ 1: "#ff7b72", 2: "#56d364", 3: "#e3b341", 4: "#79c0ff", 5: "#d2a8ff", 6: "#56d4dd", 8: "#8b949e" }),
);

/** What the screen shows from one moment on: each line as SVG. */
interface Frame {
  readonly atMs: number;
  readonly lines: readonly string[];
}

await runTool({
  usage: USAGE,
  readOptions: (args) =>
    parseOptions(z.object({ file: z.string().default("docs/demo.svg") }), args, { file: { type: "string" } }),
  async run({ file }) {
    const svg = drawFilm(await record());
    await writeFile(file, svg);
    return { output: `\n${file}: ${Math.ceil(svg.length / 1_024)} KB\n`, exitCode: EXIT.ok };
  },
});

/** @throws Failure when the demo fails */
async function record(): Promise<Frame[]> {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  const write = (data: string | Uint8Array) => new Promise<void>((resolve) => terminal.write(data, resolve));
  const frames: Frame[] = [];
  function takeFrame() {
    const lines = Array.from({ length: ROWS }, (_, row) => drawLine(terminal.buffer.active.getLine(row)));
    if (lines.join() !== frames.at(-1)?.lines.join()) frames.push({ atMs: performance.now() - startedAt, lines });
  }

  await write(`$ ${COMMAND}\r\n`);
  const startedAt = performance.now();
  takeFrame();
  const shell = `stty cols ${COLUMNS} rows ${ROWS} && ${COMMAND}`;
  const demo = spawn("script", ["-qefc", shell, "/dev/null"], { stdio: ["ignore", "pipe", "inherit"] });
  demo.stdout.on("data", write).pipe(process.stdout);
  const timer = setInterval(takeFrame, FRAME_MS);
  const [exitCode] = await once(demo, "close");
  clearInterval(timer);
  await write("");
  takeFrame();
  if (exitCode !== 0) throw new Failure(`${COMMAND} exited with ${exitCode}`);
  return frames;
}

function drawLine(line: IBufferLine | undefined): string {
  const width = line?.translateToString(true).length ?? 0;
  const cells = Array.from({ length: width }, (_, column) => line?.getCell(column)).filter(
    (cell) => cell !== undefined,
  );
  const spans = cells.map((cell, at) => {
    const begins = at === 0 || fillOf(cell) !== fillOf(cells[at - 1]);
    return `${begins ? `${at > 0 ? "</tspan>" : ""}<tspan${fillOf(cell)}>` : ""}${escaped(cell.getChars() || " ")}`;
  });
  return width === 0 ? "" : `textLength="${width * CELL_WIDTH}">${spans.join("")}</tspan>`;
}

function fillOf(cell: IBufferCell | undefined): string {
  const colour = cell?.isFgPalette() ? COLOURS.get(String(cell.getFgColor())) : cell?.isDim() && COLOURS.get("8");
  return colour ? ` fill="${colour}"` : "";
}

/** A strip of all frames side by side, which moves by one frame at a time. Each different line is drawn once. */
function drawFilm(frames: readonly Frame[]): string {
  const ids = new Map<string, number>();
  const idOf = (line: string) => ids.get(line) ?? ids.set(line, ids.size).size - 1;
  const pictures = frames.map(({ lines }, at) => {
    const uses = lines.flatMap((line, row) =>
      line ? `<use href="#l${idOf(line)}" y="${(row + 1) * LINE_HEIGHT}"/>` : [],
    );
    return `<g transform="translate(${at * WIDTH})">${uses.join("")}</g>`;
  });
  const lastAt = frames.at(-1)?.atMs ?? 0;
  const totalMs = lastAt + LAST_FRAME_MS;
  const steps = frames.map(
    ({ atMs }, at) => `${((atMs / totalMs) * 100).toFixed(1)}%{transform:translateX(${-at * WIDTH}px)}`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">
<title>A recording of ${COMMAND}</title>
<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}
.film{transform:translateX(${-(frames.length - 1) * WIDTH}px)}
@media (prefers-reduced-motion:no-preference){.film{animation:play ${(totalMs / 1_000).toFixed(1)}s step-end infinite}}
@keyframes play{${steps.join("")}to{transform:translateX(${-(frames.length - 1) * WIDTH}px)}}
</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#161b22"/>
<defs>${[...ids].map(([line, id]) => `<text id="l${id}" ${line}</text>`).join("\n")}</defs>
<g class="film"><g transform="translate(${PADDING} ${PADDING - 4})">
${pictures.join("\n")}
</g></g>
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
