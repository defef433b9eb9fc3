/** Curves of a training run as one SVG picture. */

export interface Curve {
  readonly name: string;
  /** Step and value. */
  readonly points: readonly (readonly [number, number])[];
}
export interface Chart {
  readonly title: string;
  readonly curves: readonly Curve[];
}

const width = 720;
const height = 260;
const margin = { left: 64, right: 150, top: 34, bottom: 36 };
const plotWidth = width - margin.left - margin.right;
const plotHeight = height - margin.top - margin.bottom;
const colours = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b"];

/** Charts below each other; those without points are left out. */
export function drawCharts(charts: readonly Chart[]): string {
  const shown = charts.filter((c) => c.curves.some((k) => k.points.length > 0));
  const body = shown.map((chart, i) => `<g transform="translate(0 ${i * height})">\n${drawChart(chart)}\n</g>`).join("\n");
  const total = Math.max(1, shown.length) * height;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${body}\n</svg>\n`
  );
}

function drawChart({ title, curves }: Chart): string {
  const thinned = curves.map(({ name, points }) => ({ name, points: thin(points.filter(([, y]) => Number.isFinite(y))) }));
  const all = thinned.flatMap((c) => c.points);
  const xs = ticks(Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x)));
  const ys = ticks(Math.min(...all.map(([, y]) => y)), Math.max(...all.map(([, y]) => y)));
  const x = scale(xs, margin.left, margin.left + plotWidth);
  const y = scale(ys, margin.top + plotHeight, margin.top);
  return [
    `<text x="${margin.left}" y="20" font-weight="bold">${escapeXml(title)}</text>`,
    ...ys.map((v) => gridLine(margin.left, y(v), margin.left + plotWidth, y(v)) + label(margin.left - 6, y(v) + 4, "end", v)),
    ...xs.map((v) => gridLine(x(v), margin.top, x(v), margin.top + plotHeight) + label(x(v), margin.top + plotHeight + 18, "middle", v)),
    ...thinned.map((c, i) => drawCurve(c, i, x, y)),
  ].join("\n");
}

type Scale = (v: number) => number;
const scale = (marks: readonly number[], from: number, to: number): Scale => {
  const [low, high] = [marks[0]!, marks.at(-1)!];
  return (v) => from + ((v - low) / (high - low)) * (to - from);
};

function drawCurve({ name, points }: Curve, index: number, x: Scale, y: Scale): string {
  const colour = colours[index % colours.length];
  const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
  const dots =
    points.length <= 40
      ? points.map(([px, py]) => `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="2.5" fill="${colour}"/>`).join("")
      : "";
  const at = margin.top + 8 + index * 18;
  const left = margin.left + plotWidth + 14;
  return (
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>${dots}` +
    `<line x1="${left}" y1="${at}" x2="${left + 18}" y2="${at}" stroke="${colour}" stroke-width="2"/>` +
    `<text x="${left + 24}" y="${at + 4}">${escapeXml(name)}</text>`
  );
}
const gridLine = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
const label = (x: number, y: number, anchor: string, value: number): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#555">${Number(value.toPrecision(6))}</text>`;
const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** About five round marks that enclose `low` to `high`: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number): readonly number[] {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

const mostPoints = 300;
/** Means of equal pieces, where there are too many points to see. */
function thin(points: Curve["points"]): Curve["points"] {
  if (points.length <= mostPoints) return points;
  const size = points.length / mostPoints;
  return Array.from({ length: mostPoints }, (_, i) => {
    const piece = points.slice(Math.floor(i * size), Math.floor((i + 1) * size));
    const mean = (axis: 0 | 1) => piece.reduce((sum, p) => sum + p[axis], 0) / piece.length;
    return [mean(0), mean(1)] as const;
  });
}
