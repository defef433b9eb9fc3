/** Where the time of a run goes: a row for each call of the plan. */
import type { Call } from "../../ir/plan.ts";
import { median } from "./statistics.ts";

export interface ProfileRow {
  /** Median over the runs, milliseconds. */
  readonly ms: number;
  /** Of the sum over all calls. */
  readonly share: number;
  readonly flops: number;
  readonly kernel: string;
  /** `net.dlm:12`; null: no line of a file, such as what an optimizer does. */
  readonly line: string | null;
  /** Label of the layer; empty: the model itself. */
  readonly path: string;
}

/** `runs`: for each run the milliseconds from its start to the end of each call, after a 0. Rows in the order of the calls. */
export function profileOf(calls: readonly Call[], runs: readonly ArrayLike<number>[]): readonly ProfileRow[] {
  const times = calls.map((_, i) => median(runs.map((r) => r[i + 1]! - r[i]!)));
  const total = times.reduce((a, b) => a + b, 0);
  return calls.map(({ kernel, origin, flops }, i) => ({
    ms: times[i]!,
    share: total > 0 ? times[i]! / total : 0,
    flops,
    kernel,
    line: origin?.span ? `${origin.span.file}:${origin.span.start.line}` : null,
    path: origin?.path ?? "",
  }));
}

/** Rows that take the most time, so many at most. */
const mostRows = 30;

/** A table, the longest call first. */
export function describeProfile(rows: readonly ProfileRow[]): string {
  const sorted = [...rows].sort((a, b) => b.ms - a.ms);
  const shown = sorted.slice(0, mostRows);
  const rest = sorted.slice(mostRows);
  const lines = [
    ["time", "share", "GFLOP/s", "kernel", "line", "layer"],
    ...shown.map((r) => [time(r.ms), percent(r.share), rate(r), r.kernel, r.line ?? "", r.path]),
  ];
  if (rest.length > 0) lines.push([time(sum(rest, "ms")), percent(sum(rest, "share")), "", `${rest.length} more calls`, "", ""]);
  return aligned(lines);
}
const sum = (rows: readonly ProfileRow[], key: "ms" | "share"): number => rows.reduce((n, r) => n + r[key], 0);
const time = (ms: number): string => `${ms.toFixed(3)} ms`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
/** Calls that mostly move data have no rate worth a look. */
const rate = ({ flops, ms }: ProfileRow): string => (flops > 0 && ms > 0 ? (flops / ms / 1e6).toFixed(1) : "");

/** Numbers to the right, words to the left. */
function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, c) => Math.max(...lines.map((l) => l[c]!.length)));
  const cell = (text: string, c: number) => (c < 3 ? text.padStart(widths[c]!) : text.padEnd(widths[c]!));
  return lines
    .map((l) => `  ${l.map(cell).join("  ")}`.trimEnd())
    .join("\n")
    .concat("\n");
}
