/** Single measurements to rows of a table: medians over rounds, results compared with ours. */
import type { Engine } from "./engines.ts";
import type { Answer, Times } from "./job.ts";
import { difference, median } from "./statistics.ts";
import type { Outcome, Row } from "./table.ts";
import type { Work } from "./works.ts";

export interface Record {
  readonly work: Work;
  readonly engine: Engine;
  readonly threads: number;
  readonly answer: Answer | { readonly kind: "refused"; readonly why: string };
}

/** In parts of the largest number; Winograd and other orders of summation stay far below. */
const tolerance = 1e-3;

export function rowsOf(records: readonly Record[], ours: Engine): readonly Row[] {
  const rows: Row[] = [];
  for (const { work, threads } of records) {
    if (rows.some((r) => r.work === work && r.threads === threads)) continue;
    const own = records.filter((r) => r.work === work && r.threads === threads);
    const reference = records.find((r) => r.work === work && r.engine === ours)?.answer;
    const expected = reference?.kind === "measured" ? reference.result : null;
    const all = new Set(own.map((r) => r.engine));
    const outcomes = [...all].map(
      (e) =>
        [
          e,
          outcomeOf(
            own.filter((r) => r.engine === e),
            threads,
            expected,
          ),
        ] as const,
    );
    rows.push({ work, threads, outcomes: new Map(outcomes) });
  }
  return rows;
}

function outcomeOf(rounds: readonly Record[], threads: number, expected: readonly number[] | null): Outcome {
  const answers = rounds.map((r) => r.answer);
  const measured = answers.filter((a) => a.kind === "measured");
  const bad = answers.find((a) => a.kind !== "measured");
  // A process that once took too long on a busy machine does not undo the rounds in which it answered.
  if (bad && measured.length === 0) return { kind: bad.kind, why: bad.why };
  const had = measured[0]!.threads;
  if (had !== threads) return { kind: "refused", why: `asked for ${threads} threads, it started ${had}` };
  const apart = expected ? Math.max(...measured.map((a) => difference(expected, a.result))) : 0;
  if (apart > tolerance)
    return { kind: "differs", why: `its result differs from ours by ${Number(apart.toPrecision(2))} of the largest number` };
  const over = (name: keyof Times): number => median(measured.map((a) => a.times[name]));
  const times = { load: over("load"), first: over("first"), median: over("median") };
  return { kind: "measured", times, rounds: measured.length, difference: apart };
}
