/** A program at work on random inputs, run often enough to know what it takes. */
import { setImmediate } from "node:timers/promises";
import { entryOf, type Program, type Signature } from "../../ir/program.ts";
import type { LoadOptions, Net } from "../../runtime/index.ts";
import { type CompileOptions, type Stages, timesName } from "../compile.ts";
import { buildFile, loadProgram, weightFiles, weightsOf } from "./build.ts";
import { defaultBatch } from "./examples.ts";
import type { Io } from "./io.ts";
import type { Arguments, Options } from "./options.ts";
import { during, progressOf } from "./progress.ts";
import { fillInputs } from "./run-inputs.ts";
import { type CompileSettings, compileOptions, compileSettings, loadOptions, threadsOf, whole } from "./settings.ts";

export const measureOptions: Options = {
  train: { help: "one step of the train block: forward, backward and update" },
  runs: { value: "N", help: "how often it is run; default as often as fits into two seconds" },
  ...loadOptions,
  ...compileOptions,
};

/** What is measured. */
export interface Work {
  readonly path: string;
  readonly settings: CompileSettings;
  readonly train: boolean;
  readonly runs: number | null;
  readonly options: LoadOptions;
  /** The files of the weights, for messages. */
  readonly weights: string | null;
}
export function workOf(args: Arguments): Work {
  const settings = compileSettings(args);
  const [weights, threads, train] = [weightsOf(args), threadsOf(args, 1), args.has("train")];
  const options = { ...(weights ? { weights } : {}), seed: settings.seed ?? 0, allowMissing: args.all("allow-missing"), threads };
  return { path: args.files[0]!, settings, train, runs: whole(args, "runs", 1) ?? null, options, weights: weightFiles(args) };
}

/** What is measured, in words: `one training step, batch 32, T=16`. */
export function titleOf({ module: { batch, dims } }: Stages, train: boolean): string {
  const others = Object.entries(dims).filter(([name]) => name !== batch);
  const sizes = [...(batch === null ? [] : [`batch ${dims[batch]}`]), ...others.map(([name, size]) => `${name}=${size}`)];
  return [train ? "one training step" : "one inference", ...sizes].join(", ");
}

/** Times of the calls of a run, where the program was compiled with `profile`; else empty. */
type Times = ArrayLike<number> & { readonly at: (i: number) => number | undefined };
export interface Opened {
  readonly stages: Stages;
  readonly net: Net;
  readonly entry: Signature;
  readonly compileMs: number;
  readonly loadMs: number;
  readonly run: () => Promise<Times>;
}
export async function open(work: Work, io: Io, more: Partial<CompileOptions> = {}): Promise<Opened> {
  const { path, settings, train } = work;
  const start = io.now();
  const batch = train && settings.batch === undefined ? { batch: defaultBatch } : {};
  const stages = await during(io, `compiling ${path}`, (to) => buildFile(path, settings, { train, ...batch, ...more }, to));
  const compiled = io.now();
  const net = await loadProgram(stages.program, { ...work.options, warm: [train ? "step" : "run"] }, io, work.weights);
  const entry = entryToRun(stages.program, train);
  return { stages, net, entry, compileMs: compiled - start, loadMs: io.now() - compiled, run: runOf(net, entry) };
}
const entryToRun = ({ entries }: Program, train: boolean): Signature =>
  entries.find((e) => entryOf(e.name) === (train ? "step" : "forward"))!;
function runOf(net: Net, entry: Signature): () => Promise<Times> {
  const { values } = fillInputs(entry.inputs, new Map(), { normalisation: null, resize: false });
  const none = new Float32Array();
  if (entryOf(entry.name) === "step") return async () => (await net.step(values)).times ?? none;
  return async () => (await net.run(values))[timesName] ?? none;
}

/** Runs until engines have compiled what is run often: milliseconds, and how many at least. */
const [warmFor, warmRuns] = [300, 3] as const;
/** Without `--runs`. */
const [leastRuns, mostRuns, budget] = [10, 1000, 2000] as const;

/** `run` gives the milliseconds that it took. */
export async function warmUp(run: () => Promise<number>): Promise<void> {
  for (let n = 0, sum = 0; n < mostRuns && (n < warmRuns || sum < warmFor); n++) sum += await run();
}
export async function repeated<T>(
  run: () => Promise<T>,
  runs: number | null,
  msOf: (result: T) => number,
  io: Io,
  isStopped = () => false,
): Promise<T[]> {
  const results: T[] = [];
  const progress = progressOf(io.columns === null ? { ...io, err: () => undefined } : io, runs ?? mostRuns, "run");
  const isEnough = (sum: number) => runs === null && results.length >= leastRuns && sum >= budget;
  for (let sum = 0; results.length < (runs ?? mostRuns) && !isEnough(sum) && !isStopped(); ) {
    // signals arrive between turns of the event loop, which runs alone never end
    await setImmediate();
    const result = await run();
    sum += msOf(result);
    results.push(result);
    progress.update(results.length, () => "");
  }
  progress.end();
  return results;
}
/** For each run the milliseconds from its start to the end of each call of the plan, after a 0. */
export async function timesOfCalls({ run }: Opened, runs: number | null, io: Io, isStopped = () => false): Promise<readonly Times[]> {
  await warmUp(async () => {
    const start = io.now();
    await run();
    return io.now() - start;
  });
  return repeated(run, runs, (times) => times.at(-1)!, io, isStopped);
}
