/**
 * dlm and other libraries side by side: `npm run bench:peers [-- --works resnet18,vgg16 --threads 1,2 --rounds 3 --peers
 * ort-web,tfjs --budget 1000 --limit 600 --json FILE]`. docs/benchmarks.md says what is measured, and what the flags mean.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { command } from "./command.ts";
import { refusal } from "./engines.ts";
import { installed } from "./install.ts";
import type { Job } from "./job.ts";
import { prepare } from "./prepare.ts";
import { type Record, rowsOf } from "./records.ts";
import { type Settings, settings } from "./settings.ts";
import { runCell } from "./spawn.ts";
import { geometricMean } from "./statistics.ts";
import { factor, type Row, speedTable, startTable } from "./table.ts";
import type { Work } from "./works.ts";

const root = resolve(import.meta.dirname, "../..");
/** Models are large: each is there while it is measured. */
const out = join(import.meta.dirname, "out");

/** A process that takes longer runs in the first round only: noise does not matter to it. */
const slow = 60_000;
/** What failed once is not tried again. */
const isDone = ({ answer }: Record): boolean =>
  answer.kind !== "measured" || answer.times.load + answer.times.first + answer.times.median > slow;

/** All engines take turns, so that what else the machine does hits all alike. */
async function campaign(
  work: Work,
  folder: string,
  { engines: all, threads, rounds, budget, limit }: Settings,
): Promise<readonly Record[]> {
  const records: Record[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const t of threads)
      for (const engine of all) {
        if (records.some((r) => r.engine === engine && r.threads === t && isDone(r))) continue;
        const why = refusal(engine, work, t);
        const job: Job = { work, module: engine.module, threads: t, folder, budget };
        const answer = why === null ? await runCell(job, limit) : ({ kind: "refused", why } as const);
        records.push({ work, engine, threads: t, answer });
        if (answer.kind === "measured")
          progress(`${work.name} ${engine.name} ${t} ${round}/${rounds}: ${answer.times.median.toFixed(2)} ms`);
        else if (answer.kind === "failed") progress(`${work.name} ${engine.name} ${t}: ${answer.why}`);
      }
  return records;
}
async function measured(work: Work, given: Settings): Promise<readonly Record[]> {
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, `${work.name}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  progress(`${work.name}: compiling and exporting`);
  prepare(root, work, folder);
  const records = await campaign(work, folder, given);
  process.off("exit", remove);
  remove();
  return records;
}
const progress = (text: string): void => console.error(text);

/** Over all rows that both have: how many times ours the time is, and how far results are apart at most. */
function summary(rows: readonly Row[], { ours, engines: all }: Settings): string {
  const lines = all.slice(1).flatMap((engine) => {
    const pairs = rows.flatMap(({ outcomes }) => {
      const [a, b] = [outcomes.get(ours), outcomes.get(engine)];
      return a?.kind === "measured" && b?.kind === "measured" ? [{ ratio: b.times.median / a.times.median, apart: b.difference }] : [];
    });
    if (pairs.length === 0) return [];
    const mean = factor(geometricMean(pairs.map((p) => p.ratio)));
    const apart = Math.max(...pairs.map((p) => p.apart)).toExponential(0);
    return [`- ${engine.title}: ${mean}, the geometric mean of ${pairs.length}; results differ by ${apart} of the largest number at most`];
  });
  return lines.join("\n");
}

function json(machine: string, rows: readonly Row[], records: readonly Record[]): string {
  const outcomes = rows.flatMap((row) =>
    [...row.outcomes].map(([engine, outcome]) => ({ work: row.work.name, engine: engine.name, threads: row.threads, ...outcome })),
  );
  const rounds = records.flatMap(({ work, engine, threads, answer }) =>
    answer.kind === "measured" ? [{ work: work.name, engine: engine.name, threads, runs: answer.runs, ...answer.times }] : [],
  );
  return `${JSON.stringify({ machine, outcomes, rounds }, null, 2)}\n`;
}

async function main(): Promise<void> {
  const given = settings();
  installed(import.meta.dirname, progress);
  const records: Record[] = [];
  for (const work of given.works) {
    records.push(...(await measured(work, given)));
  }
  const rows = rowsOf(records, given.ours);
  const processor = `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores`;
  const machine = `${processor}, Node ${process.versions.node}, medians of ${given.rounds} rounds`;
  console.log([machine, speedTable(rows, given.engines, given.ours), summary(rows, given), startTable(rows, given.engines)].join("\n\n"));
  if (given.json !== null) writeFileSync(given.json, json(machine, rows, records));
  if (rows.some(({ outcomes }) => [...outcomes.values()].some((o) => o.kind === "differs"))) process.exitCode = 1;
}

await command(main);
