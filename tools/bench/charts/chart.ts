/** Okabe and Ito's colours, which colour-blind readers can distinguish. */
const COLOURS = ["#0072b2", "#bbbbbb", "#e69f00", "#009e73", "#cc79a7"];

const WIDTH = 820;
const LABEL_WIDTH = 150;
/** Room for the figure after the longest bar. */
const FIGURE_WIDTH = 70;
const BAR_HEIGHT = 16;
const GROUP_GAP = 12;
const TOP = 80;

export interface Series {
  readonly name: string;
  /** One value for each category; none draws no bar. */
  readonly values: readonly (number | undefined)[];
}

/**
 * Draws horizontal bars, grouped by category, each with its figure in three digits.
 * @param title plain text
 * @returns an SVG picture without scripts, the same for the same content
 */
export function drawBars(title: string, categories: readonly string[], series: readonly Series[]): string {
  const longest = Math.max(...series.flatMap(({ values }) => values.map((value = 0) => value)), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / longest;
  const groupHeight = series.length * BAR_HEIGHT + GROUP_GAP;
  const height = TOP + categories.length * groupHeight;

  function bar(value: number | undefined, category: number, index: number): string {
    if (value === undefined) return "";
    const y = TOP + category * groupHeight + index * BAR_HEIGHT;
    const width = Number((value * scale).toFixed(1));
    const figure = Number(value.toPrecision(3)).toLocaleString("en");
    return `<rect x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT - 2}" fill="${COLOURS[index]}"/>
${text(LABEL_WIDTH + width + 6, y + BAR_HEIGHT - 5, figure)}`;
  }

  const parts = [
    `<title>${escapeText(title)}</title>`,
    // Opaque, since GitHub also shows images on a dark page.
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(WIDTH / 2, 26, title, 'text-anchor="middle" font-size="16" font-weight="bold"'),
    ...series.map(({ name }, index) => legend(name, index, series.length)),
    ...categories.map((name, index) =>
      text(LABEL_WIDTH - 8, TOP + index * groupHeight + (groupHeight - GROUP_GAP) / 2 + 4, name, 'text-anchor="end"'),
    ),
    ...series.flatMap(({ values }, index) => values.map((value, category) => bar(value, category, index))),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
${parts.filter((part) => part !== "").join("\n")}
</svg>
`;
}

function legend(name: string, index: number, count: number): string {
  const x = LABEL_WIDTH + (index * (WIDTH - LABEL_WIDTH)) / count;
  return `<rect x="${x}" y="46" width="12" height="12" fill="${COLOURS[index]}"/>\n${text(x + 18, 56, name)}`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${Number(x.toFixed(1))}" y="${y}"${attributes && ` ${attributes}`}>${escapeText(content)}</text>`;
}

function escapeText(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
