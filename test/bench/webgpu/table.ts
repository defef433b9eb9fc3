/** The measurements as Markdown. */
import { difference } from "../statistics.ts";
import { milliseconds } from "../table.ts";
import type { Work } from "../works.ts";
import type { Cell } from "./cells.ts";
import type { GpuEngine } from "./engines.ts";
import type { GpuMeasured } from "./job.ts";

export interface GpuRow extends Cell {
  readonly work: Work;
  readonly engine: GpuEngine;
  /** Floating-point operations of one run. */
  readonly flops: number;
}

/** In parts of the largest number. */
const tolerance = 1e-3;
/** Why a row is no measurement; null where it is one. */
export function problemOf({ answer }: GpuRow, expected: readonly number[] | null): string | null {
  if (answer.kind === "failed") return answer.why;
  const apart = expected ? difference(expected, answer.result) : 0;
  return apart > tolerance ? `its result differs from ours by ${Number(apart.toPrecision(2))} of the largest number` : null;
}
/** Ours in a page. */
export function expectedOf(rows: readonly GpuRow[], work: Work): readonly number[] | null {
  const answer = rows.find((r) => r.work === work && r.engine.name === "dlm")?.answer;
  return answer?.kind === "measured" ? answer.result : null;
}

const head = [
  "",
  "engine",
  "dispatches",
  "submits",
  "bind groups",
  "buffer writes",
  "encode, us",
  "a dispatch, us",
  "start-up, ms",
  "code, kB",
];
/** How long a software adapter computes says nothing: times of runs are there for others alone. */
const timed = ["run, ms", "TFLOP/s"];

export function gpuTable(rows: readonly GpuRow[], software: boolean): string {
  const columns = software ? head : [...head, ...timed];
  const notes: string[] = [];
  const body = rows.map((row) => {
    const { answer } = row;
    const why = problemOf(row, expectedOf(rows, row.work));
    if (answer.kind === "measured" && why === null)
      return [row.work.title, row.engine.title, ...numbers(row, answer), ...(software ? [] : speed(row, answer))];
    notes.push(`${row.engine.title}, ${row.work.title}: ${why?.split("\n")[0]}`);
    return [row.work.title, row.engine.title, `- [${notes.length}]`, ...columns.slice(3).map(() => "")];
  });
  const lines = [columns, columns.map((_, i) => (i < 2 ? "---" : "---:")), ...body].map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines, "", ...notes.map((note, i) => `[${i + 1}] ${note}  `)].join("\n").trimEnd();
}

function numbers({ code }: GpuRow, { counts, encode, startUp }: GpuMeasured): readonly string[] {
  const { dispatches, submits, bindGroups, writes } = counts;
  const each = (1000 * encode) / Math.max(1, dispatches);
  // In Node modules come from files and sources: nothing is downloaded, and the start is no app's.
  const start = code === null ? ["", ""] : [milliseconds(startUp), milliseconds(code / 1000)];
  return [...[dispatches, submits, bindGroups, writes].map(String), milliseconds(1000 * encode), milliseconds(each), ...start];
}
const speed = ({ flops }: GpuRow, { times }: GpuMeasured): readonly string[] => [
  milliseconds(times.median),
  (flops / times.median / 1e9).toPrecision(3),
];
