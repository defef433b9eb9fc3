/** `dlm bench FILE`: how long one inference or one training step takes, and where the time goes. */
import { fail } from "../../ir/diagnostic.ts";
import { topological } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { EntryId } from "../../ir/program.ts";
import type { Stages } from "../compile.ts";
import { flopsOf } from "../graphs.ts";
import { exit, type Io } from "./io.ts";
import { measureOptions, open, repeated, timesOfCalls, titleOf, type Work, warmUp, workOf } from "./measure.ts";
import { type Arguments, type Command, table } from "./options.ts";
import { describeProfile, type ProfileRow, profileOf } from "./profile.ts";
import { bytes, milliseconds, scaled } from "./progress.ts";
import { jsonOption, noteUselessFlags } from "./settings.ts";
import { median } from "./statistics.ts";
import { tuningInUse } from "./tuning.ts";
import { version } from "./version.ts";

export const benchCommand: Command = {
  name: "bench",
  usage: "FILE.dlm [--train] [--profile]",
  summary: "Measures one inference, or with --train one training step, on random inputs.",
  details:
    "The first runs, in which the engine still compiles, are not counted; what a run takes includes copying inputs and outputs.\n" +
    "--profile tells what each kernel takes, by a second program that looks at the clock after each of them; on WebGPU by\n" +
    "timestamps of the device, which leave out the time between kernels.\n" +
    "Without --weights, parameters are initialised from --seed. The batch is 1, of a training step 32, where neither --batch nor\n" +
    "the source gives it. A program compiled with relaxed SIMD uses it where the engine has it.",
  files: "one",
  options: {
    profile: { help: "the time of every kernel, with the line it comes from" },
    ...measureOptions,
    ...jsonOption,
  },
  run: bench,
};

interface Measured {
  readonly stages: Stages;
  readonly entry: EntryId;
  readonly threads: number;
  readonly compileMs: number;
  readonly loadMs: number;
  readonly firstMs: number;
  /** Warm runs, shortest first. */
  readonly times: readonly number[];
  readonly flops: number;
  readonly profile: readonly ProfileRow[] | null;
}
async function bench(args: Arguments, io: Io): Promise<number> {
  const work = workOf(args);
  noteUselessFlags(args, [work.settings.target], io);
  if (args.has("profile") && work.settings.target === "reference")
    fail("flag", "`--profile` needs `--target wasm` or `wgsl`", null, { help: "on the reference `dlm bench` measures whole runs" });
  // The heavy parts are there before the clock starts.
  await io.toolchain();
  const measured = await measure(work, io);
  const profile = args.has("profile") ? await profiled(work, { ...io, err: () => undefined }) : null;
  io.out(args.has("json") ? `${json({ ...measured, profile }, work)}\n` : describe({ ...measured, profile }, work));
  return exit.fine;
}

async function measure(work: Work, io: Io): Promise<Omit<Measured, "profile">> {
  const { stages, net, entry, compileMs, loadMs, run } = await open(work, io);
  try {
    const timed = async (): Promise<number> => {
      const start = io.now();
      await run();
      return io.now() - start;
    };
    const firstMs = await timed();
    await warmUp(timed);
    const times = (await repeated(timed, work.runs, (ms) => ms, io)).sort((a, b) => a - b);
    return {
      stages,
      entry: entry.name,
      threads: net.threads,
      compileMs,
      loadMs,
      firstMs,
      times,
      flops: flopsOf(stages.graphs[entry.name]!),
    };
  } finally {
    await net.dispose();
  }
}

/** Times of each call of the plan, from a program with a clock in it. */
async function profiled(work: Work, io: Io): Promise<readonly ProfileRow[]> {
  const opened = await open(work, io, { profile: true });
  try {
    const { calls } = opened.stages.plan.entries.find((e) => e.name === opened.entry.name)!;
    return profileOf(calls, await timesOfCalls(opened, work.runs, io));
  } finally {
    await opened.net.dispose();
  }
}

/* ---- what is shown ------------------------------------------------------------------------------------------------ */

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;

/** Whether a transformed convolution is counted with the operations of the direct one. */
const isTransformed = ({ stages: { graphs }, entry }: Measured): boolean =>
  topological(graphs[entry]!).some(({ op }) => op === ops.winogradConv2d || op === ops.winogradConv2dWeightGrad);

function describe(m: Measured, { train }: Work): string {
  const { program } = m.stages;
  const { stats } = program;
  const [middle, least, most] = [median(m.times), m.times[0]!, quantile(m.times, 0.9)];
  const threads = program.target === "wasm" ? `, ${m.threads} ${m.threads === 1 ? "thread" : "threads"}` : "";
  const rows: (readonly [string, string])[] = [
    [titleOf(m.stages, train), `${milliseconds(middle)}, the median of ${m.times.length} runs`],
    ["spread", `${milliseconds(least)} at least, nine of ten runs within ${milliseconds(most)}`],
    ["work", `${scaled(m.flops)} floating-point operations, ${scaled(m.flops / (middle / 1e3))} a second`],
    ...(isTransformed(m)
      ? [["", "a convolution counts as the direct one; Winograd does fewer, so that the rate may pass the machine's"] as const]
      : []),
    ["start", `compiled in ${milliseconds(m.compileMs)}, loaded in ${milliseconds(m.loadMs)}, first run ${milliseconds(m.firstMs)}`],
    ["arena", `${bytes(stats.arenaBytes)}, at least ${bytes(stats.lowerBoundBytes)} are needed at once`],
    ["parameters", `${stats.parameters.toLocaleString("en")} (${bytes(4 * stats.parameters)})`],
    ["code", bytes(stats.codeBytes)],
  ];
  const head = `${program.name}: ${program.target}${threads}\n${table(rows)}\n`;
  return m.profile === null ? head : `${head}\n${describeProfile(m.profile)}`;
}

function json({ stages, threads, compileMs, loadMs, firstMs, times, flops, profile }: Measured, { path, train, settings }: Work): string {
  const { stats, target, name, code } = stages.program;
  return JSON.stringify({
    version: version(),
    model: name,
    entry: train ? "train" : "inference",
    dims: stages.module.dims,
    exact: settings.exact,
    storage: settings.storage ?? "f32",
    relaxed: code.kind === "wasm" && code.relaxed !== null,
    tuning: tuningInUse(path, settings)?.path ?? null,
    median_ms: median(times),
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
