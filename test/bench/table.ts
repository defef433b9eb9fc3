/** The measurements as Markdown. */
import type { Engine } from "./engines.ts";
import type { Times } from "./job.ts";
import type { Work } from "./works.ts";

/** Medians over rounds, or why there are none: refused (it cannot do such work at all), failed, differs (another result than ours). */
export type Outcome =
  | { readonly kind: "measured"; readonly times: Times; readonly rounds: number; readonly difference: number }
  | { readonly kind: "refused" | "failed" | "differs"; readonly why: string };
export interface Row {
  readonly work: Work;
  readonly threads: number;
  readonly outcomes: ReadonlyMap<Engine, Outcome>;
}

/** Three digits. */
export const milliseconds = (ms: number): string => (ms < 100 ? String(Number(ms.toPrecision(3))) : ms.toFixed(0));
export const factor = (ratio: number): string => `${ratio < 10 ? ratio.toFixed(2) : ratio < 100 ? ratio.toFixed(1) : ratio.toFixed(0)}x`;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const numbers = (count: number): readonly string[] => ["---", ...Array.from({ length: count }, () => "---:")];

function cell(row: Row, engine: Engine, base: Engine, notes: Notes): string {
  const outcome = row.outcomes.get(engine);
  if (!outcome) return "";
  if (outcome.kind === "measured") return shown(outcome.times.median, row, engine, base);
  return `- ${notes.mark(outcome.kind === "refused" ? outcome.why : `${engine.title}, ${row.work.title}: ${outcome.why}`)}`;
}
/** With how many times ours it is. */
function shown(ms: number, row: Row, engine: Engine, base: Engine): string {
  const ours = row.outcomes.get(base);
  if (engine === base || ours?.kind !== "measured") return milliseconds(ms);
  return `${milliseconds(ms)} (${factor(ms / ours.times.median)})`;
}

/** Reasons below a table, each once. */
interface Notes {
  readonly mark: (text: string) => string;
  readonly lines: () => readonly string[];
}
function newNotes(): Notes {
  const texts: string[] = [];
  return {
    mark: (text) => {
      if (!texts.includes(text)) texts.push(text);
      return `[${texts.indexOf(text) + 1}]`;
    },
    lines: () => texts.map((text, i) => `[${i + 1}] ${text}.  `),
  };
}

/** Warm runs. */
export function speedTable(rows: readonly Row[], engines: readonly Engine[], base: Engine): string {
  const notes = newNotes();
  const body = rows.map((row) => line([row.work.title, String(row.threads), ...engines.map((engine) => cell(row, engine, base, notes))]));
  const head = [line(["milliseconds", "threads", ...engines.map((e) => e.title)]), line(numbers(engines.length + 1))];
  return [...head, ...body, "", ...notes.lines()].join("\n").trimEnd();
}

/** Load and first run, of the rows with the fewest threads. */
export function startTable(rows: readonly Row[], engines: readonly Engine[]): string {
  const least = Math.min(...rows.map((r) => r.threads));
  const start = (outcome: Outcome | undefined): string =>
    outcome?.kind === "measured" ? `${milliseconds(outcome.times.load)} + ${milliseconds(outcome.times.first)}` : "-";
  const body = rows
    .filter((r) => r.threads === least)
    .map((row) => line([row.work.title, ...engines.map((engine) => start(row.outcomes.get(engine)))]));
  return [line(["load + first run, ms", ...engines.map((e) => e.title)]), line(numbers(engines.length)), ...body].join("\n");
}
