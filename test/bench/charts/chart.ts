import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

const WIDTH = 820;
const HEIGHT = 380;

/** Okabe and Ito's colours: told apart by all eyes. */
const COLOURS = ["#0072b2", "#bbbbbb", "#e69f00", "#009e73", "#cc79a7"];

const FRAME = {
  animation: false,
  // Opaque: GitHub shows images on a dark page too.
  backgroundColor: "#ffffff",
  color: COLOURS,
  textStyle: { fontFamily: "sans-serif" },
  // Wide gaps: without a browser the widths of texts are a guess.
  legend: { top: 40, itemGap: 40 },
  grid: { left: 70, right: 30, top: 80, bottom: 65 },
};

/**
 * @param title plain text
 * @returns an SVG picture without scripts, the same for the same content
 */
export function draw(title: string, content: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption({
      ...FRAME,
      title: { text: title, left: "center", top: 10, textStyle: { fontSize: 16 } },
      ...content,
    });
    // The ids count the charts of the process, and the styles are for a pointer that an image does not have.
    return chart
      .renderToSVGString()
      .replaceAll(/<style[\s\S]*?<\/style>/g, "")
      .replaceAll(/ class="[^"]*"/g, "")
      .replaceAll(/\bzr\d+-/g, "zr-")
      .replace(/^<svg [^>]*>/, (root) => `${root}\n<title>${title}</title>`);
  } finally {
    chart.dispose();
  }
}
