/** `dlm bench FILE`: how long one inference or one training step takes, and where the time goes. */
import { fail } from "../../ir/diagnostic.ts";
import { entryOf, type Program, type Signature } from "../../ir/program.ts";
import type { LoadOptions, Net } from "../../runtime/index.ts";
import { type Stages, timesName } from "../compile.ts";
import { flopsOf } from "../graphs.ts";
import { buildFile, loadProgram, weightFiles, weightsOf } from "./build.ts";
import { defaultBatch } from "./examples.ts";
import { exit, type Io } from "./io.ts";
import { type Arguments, type Command, table } from "./options.ts";
import { describeProfile, type ProfileRow, profileOf } from "./profile.ts";
import { bytes, progressOf, scaled } from "./progress.ts";
import { fillInputs } from "./run-inputs.ts";
import { type CompileSettings, compileOptions, compileSettings, jsonOption, loadOptions, threadsOf, whole } from "./settings.ts";

export const benchCommand: Command = {
  name: "bench",
  usage: "FILE.dlm [--train] [--profile]",
  summary: "Measures one inference, or with --train one training step, on random inputs.",
  details:
    "The first runs, in which the engine still compiles, are not counted; what a run takes includes copying inputs and outputs.\n" +
    "--profile tells what each kernel takes, by a second program that looks at the clock after each of them.\n" +
    "Without --weights, parameters are initialised from --seed.",
  files: "one",
  options: {
    train: { help: "one step of the train block: forward, backward and update" },
    runs: { value: "N", help: "how often it is run; default as often as fits into two seconds" },
    profile: { help: "the time of every kernel, with the line it comes from" },
    ...loadOptions,
    ...compileOptions,
    ...jsonOption,
  },
  run: bench,
};

/** Without `--runs`. */
const [leastRuns, mostRuns, budget] = [10, 1000, 2000] as const;
/** Runs until engines have compiled what is run often: milliseconds, and how many at least. */
const [warmFor, warmRuns] = [300, 3] as const;

interface Measured {
  readonly stages: Stages;
  readonly threads: number;
  readonly compileMs: number;
  readonly loadMs: number;
  readonly firstMs: number;
  /** Warm runs, shortest first. */
  readonly times: readonly number[];
  readonly flops: number;
  readonly profile: readonly ProfileRow[] | null;
}
/** What is common to the program that is measured and the one that tells where the time goes. */
interface Work {
  readonly path: string;
  readonly settings: CompileSettings;
  readonly train: boolean;
  readonly runs: number | null;
  readonly options: LoadOptions;
  readonly weights: string | null;
}

async function bench(args: Arguments, io: Io): Promise<number> {
  const settings = compileSettings(args);
  if (args.has("profile") && settings.target !== "wasm")
    fail("flag", "`--profile` needs `--target wasm`", null, { help: "on other targets `dlm bench` measures whole runs" });
  const [weights, threads] = [weightsOf(args), threadsOf(args, 1)];
  const options = { ...(weights ? { weights } : {}), seed: settings.seed ?? 0, allowMissing: args.all("allow-missing"), threads };
  const runs = whole(args, "runs", 1) ?? null;
  const work: Work = { path: args.files[0]!, settings, train: args.has("train"), runs, options, weights: weightFiles(args) };
  // The heavy parts are there before the clock starts.
  await io.toolchain();
  const measured = await measure(work, io);
  const profile = args.has("profile") ? await profiled(work, { ...io, err: () => undefined }) : null;
  io.out(args.has("json") ? `${json({ ...measured, profile })}\n` : describe({ ...measured, profile }, work));
  return exit.fine;
}

async function opened(work: Work, io: Io, more: { readonly profile?: boolean } = {}) {
  const { path, settings, train } = work;
  const start = io.now();
  const batch = train && settings.batch === undefined ? { batch: defaultBatch } : {};
  const stages = await buildFile(path, settings, { train, ...batch, ...more }, io);
  const compiled = io.now();
  const net = await loadProgram(stages.program, work.options, io, work.weights);
  return { stages, net, compileMs: compiled - start, loadMs: io.now() - compiled, entry: entryToRun(stages.program, train) };
}
const entryToRun = ({ entries }: Program, train: boolean): Signature =>
  entries.find((e) => entryOf(e.name) === (train ? "step" : "forward"))!;

async function measure(work: Work, io: Io): Promise<Omit<Measured, "profile">> {
  const { stages, net, compileMs, loadMs, entry } = await opened(work, io);
  try {
    const run = runOf(net, entry);
    const timed = async (): Promise<number> => {
      const start = io.now();
      await run();
      return io.now() - start;
    };
    const firstMs = await timed();
    await warmUp(timed);
    const times = (await repeated(timed, work.runs, (ms) => ms, io)).sort((a, b) => a - b);
    return { stages, threads: net.threads, compileMs, loadMs, firstMs, times, flops: flopsOf(stages.graphs[entry.name]!) };
  } finally {
    await net.dispose();
  }
}

/** Times of each call of the plan, from a program with a clock in it. */
async function profiled(work: Work, io: Io): Promise<readonly ProfileRow[]> {
  const { stages, net, entry } = await opened(work, io, { profile: true });
  try {
    const run = runOf(net, entry);
    await warmUp(async () => (await run()).at(-1)!);
    const runs = await repeated(run, work.runs, (times) => times.at(-1)!, io);
    const { calls } = stages.plan.entries.find((e) => e.name === entry.name)!;
    return profileOf(calls, runs);
  } finally {
    await net.dispose();
  }
}

/** Runs the entry on random inputs; gives the times of a program that was compiled with `profile`. */
function runOf(net: Net, entry: Signature): () => Promise<ArrayLike<number> & { at(i: number): number | undefined }> {
  const { values } = fillInputs(entry.inputs, new Map(), { normalisation: null, resize: false });
  const none = new Float32Array();
  if (entryOf(entry.name) === "step") return async () => (await net.step(values)).times ?? none;
  return async () => (await net.run(values))[timesName] ?? none;
}

async function warmUp(run: () => Promise<number>): Promise<void> {
  for (let n = 0, sum = 0; n < mostRuns && (n < warmRuns || sum < warmFor); n++) sum += await run();
}

async function repeated<T>(run: () => Promise<T>, runs: number | null, msOf: (result: T) => number, io: Io): Promise<T[]> {
  const results: T[] = [];
  const progress = progressOf(io.columns === null ? { ...io, err: () => undefined } : io, runs ?? mostRuns, "run");
  const isEnough = (sum: number) => (runs === null ? results.length >= leastRuns && sum >= budget : false);
  for (let sum = 0; results.length < (runs ?? mostRuns) && !isEnough(sum); ) {
    const result = await run();
    sum += msOf(result);
    results.push(result);
    progress.update(results.length, () => "");
  }
  progress.end();
  return results;
}

/* ---- what is shown ------------------------------------------------------------------------------------------------ */

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
const milliseconds = (ms: number): string => `${ms < 100 ? Number(ms.toPrecision(3)) : Math.round(ms)} ms`;

function describe(m: Measured, { train }: Work): string {
  const { program } = m.stages;
  const { stats } = program;
  const [median, least, most] = [quantile(m.times, 0.5), m.times[0]!, quantile(m.times, 0.9)];
  const threads = program.target === "wasm" ? `, ${m.threads} ${m.threads === 1 ? "thread" : "threads"}` : "";
  const rows: [string, string][] = [
    [train ? "one training step" : "one inference", `${milliseconds(median)}, the median of ${m.times.length} runs`],
    ["spread", `${milliseconds(least)} at least, nine of ten runs within ${milliseconds(most)}`],
    ["work", `${scaled(m.flops)} floating-point operations, ${scaled(m.flops / (median / 1e3))} a second`],
    ["start", `compiled in ${milliseconds(m.compileMs)}, loaded in ${milliseconds(m.loadMs)}, first run ${milliseconds(m.firstMs)}`],
    ["arena", `${bytes(stats.arenaBytes)}, at least ${bytes(stats.lowerBoundBytes)} are needed at once`],
    ["parameters", `${stats.parameters.toLocaleString("en")} (${bytes(4 * stats.parameters)})`],
    ["code", bytes(stats.codeBytes)],
  ];
  const head = `${program.name}: ${program.target}${threads}\n${table(rows)}\n`;
  return m.profile === null ? head : `${head}\n${describeProfile(m.profile)}`;
}

function json({ stages, threads, compileMs, loadMs, firstMs, times, flops, profile }: Measured): string {
  const { stats, target } = stages.program;
  return JSON.stringify({
    median_ms: quantile(times, 0.5),
    min_ms: times[0],
    p90_ms: quantile(times, 0.9),
    runs: times.length,
    compile_ms: compileMs,
    load_ms: loadMs,
    first_ms: firstMs,
    threads,
    target,
    flops,
    parameters: stats.parameters,
    arena_bytes: stats.arenaBytes,
    lower_bound_bytes: stats.lowerBoundBytes,
    code_bytes: stats.codeBytes,
    ...(profile ? { profile } : {}),
  });
}
