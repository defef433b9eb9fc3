/**
 * dlm and other libraries side by side: `npm run bench:peers [-- --works resnet18,vgg16 --threads 1,2 --rounds 3 --peers
 * ort-web,tfjs --budget 1000 --json FILE]`. docs/benchmarks.md says what is measured.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Engine, engines, refusal } from "./engines.ts";
import { installed } from "./install.ts";
import type { Job } from "./job.ts";
import { prepare } from "./prepare.ts";
import { type Record, rowsOf } from "./records.ts";
import { runCell } from "./spawn.ts";
import { geometricMean } from "./statistics.ts";
import { speedTable, startTable } from "./table.ts";
import { type Work, works } from "./works.ts";

const root = resolve(import.meta.dirname, "../..");
const out = join(import.meta.dirname, "out");

function chosen<T extends { readonly name: string }>(all: readonly T[], flag: string, names: string | undefined): readonly T[] {
  if (names === undefined) return all;
  return names.split(",").map((name) => {
    const found = all.find((a) => a.name === name);
    if (!found) throw new RangeError(`--${flag}: there is no ${name}; known are ${all.map((a) => a.name).join(", ")}`);
    return found;
  });
}
function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${flag}: ${text} is no whole number above 0`);
  return value;
}

function settings() {
  const { values } = parseArgs({
    options: {
      works: { type: "string" },
      peers: { type: "string" },
      threads: { type: "string", default: "1,2" },
      rounds: { type: "string", default: "3" },
      budget: { type: "string", default: "1000" },
      json: { type: "string" },
    },
  });
  const [ours, ...others] = engines as readonly [Engine, ...Engine[]];
  return {
    works: chosen(works, "works", values.works),
    engines: [ours, ...chosen(others, "peers", values.peers)],
    ours,
    threads: values.threads.split(",").map((t) => count("threads", t)),
    rounds: count("rounds", values.rounds),
    budget: count("budget", values.budget),
    json: values.json ?? null,
  };
}
type Settings = ReturnType<typeof settings>;

/** All engines take turns, so that what else the machine does hits all alike. What failed once is not tried again. */
async function campaign(work: Work, { engines: all, threads, rounds, budget }: Settings): Promise<readonly Record[]> {
  const records: Record[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const t of threads)
      for (const engine of all) {
        const before = records.find((r) => r.engine === engine && r.threads === t);
        if (before && before.answer.kind !== "measured") continue;
        const why = refusal(engine, work, t);
        const job: Job = { work, module: engine.module, threads: t, folder: join(out, work.name), budget };
        const answer = why === null ? await runCell(job) : ({ kind: "refused", why } as const);
        records.push({ work, engine, threads: t, answer });
        if (answer.kind === "measured")
          progress(`${work.name} ${engine.name} ${t} ${round}/${rounds}: ${answer.times.median.toFixed(2)} ms`);
        else if (answer.kind === "failed") progress(`${work.name} ${engine.name} ${t}: ${answer.why}`);
      }
  return records;
}
const progress = (text: string): void => console.error(text);

/** Over all rows that both have. */
function summary(rows: ReturnType<typeof rowsOf>, { ours, engines: all }: Settings): string {
  const means = all.slice(1).flatMap((engine) => {
    const ratios = rows.flatMap(({ outcomes }) => {
      const [a, b] = [outcomes.get(ours), outcomes.get(engine)];
      return a?.kind === "measured" && b?.kind === "measured" ? [b.times.median / a.times.median] : [];
    });
    return ratios.length === 0 ? [] : [`${engine.title} ${geometricMean(ratios).toFixed(2)}x in ${ratios.length} rows`];
  });
  return `Geometric means: ${means.join(", ")}.`;
}

const given = settings();
installed(import.meta.dirname, progress);
const records: Record[] = [];
for (const work of given.works) {
  progress(`${work.name}: compiling and exporting`);
  prepare(root, work, join(out, work.name));
  records.push(...(await campaign(work, given)));
}
const rows = rowsOf(records, given.ours);
const machine = `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.versions.node}, medians of ${given.rounds} rounds`;
console.log([machine, speedTable(rows, given.engines, given.ours), summary(rows, given), startTable(rows, given.engines)].join("\n\n"));
if (given.json !== null) {
  const cells = records.map(({ work, engine, threads, answer }) => {
    const { result: _, ...rest } = { result: null, ...answer };
    return { work: work.name, engine: engine.name, threads, ...rest };
  });
  writeFileSync(given.json, `${JSON.stringify({ machine, cells }, null, 2)}\n`);
}
if (rows.some(({ outcomes }) => [...outcomes.values()].some((o) => o.kind === "differs"))) process.exitCode = 1;
