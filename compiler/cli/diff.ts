/** `dlm diff FILE`: the same run on several targets, and the first operation that they disagree about. */
import { CompileError, fail } from "../../ir/diagnostic.ts";
import { DlmError } from "../../runtime/index.ts";
import { type Agreement, agreementOf, agrees } from "../compare/agreement.ts";
import { outputsOnly } from "../compare/watch.ts";
import { kernelProgress, weightFiles, weightsOf } from "./build.ts";
import {
  type Base,
  type Compared,
  clearGradient,
  compareTarget,
  firstDifference,
  gradientShare,
  locateDifference,
  openBase,
  valueRows,
} from "./diff-compare.ts";
import { type Difference, describeDiff, type Initial, jsonDiff } from "./diff-report.ts";
import { type Built, build, type Job, quiet, using, variablesIn } from "./diff-run.ts";
import { readText } from "./files.ts";
import { gpuSource } from "./gpu.ts";
import { exit, type Io, note } from "./io.ts";
import type { Arguments, Command, Options } from "./options.ts";
import { programName } from "./original-names.ts";
import { scaled } from "./progress.ts";
import { bindDimensions, fillInputs, givenInputs } from "./run-inputs.ts";
import {
  type CompileSettings,
  compileOptions,
  compileSettings,
  imageOptions,
  jsonOption,
  loadOptions,
  normalisationOf,
  noteUselessFlags,
  type Target,
  targetList,
  targets,
  threadsOf,
} from "./settings.ts";

const { target: _, ...compiling } = compileOptions;
const options: Options = {
  targets: { value: "LIST", help: "two or more of wasm, wgsl and reference (the interpreter); default all that there are" },
  tolerance: { value: "E", help: "largest difference, relative to the rms of the values; default 1e-4, with --storage f16 1e-2" },
  train: { help: "compare a training step: losses, gradients, updated parameters" },
  all: { help: "compare every value of the graph, not only where outputs differ" },
  input: { value: "NAME=FILE", repeat: true, help: "an input: .npy, .png, .jpg or random[:SEED]" },
  resize: { help: "bring pictures to the size of their input" },
  ...loadOptions,
  ...imageOptions,
  ...compiling,
  ...jsonOption,
};

export const diffCommand: Command = {
  name: "diff",
  usage: "FILE.dlm [--targets wasm,wgsl,reference] [--train]",
  summary: "Runs a model on several targets and finds the first operation whose values differ.",
  details:
    "All targets get the same inputs, weights and seed. They are compared with reference, which computes in double precision,\n" +
    "or else with the first of the list. Where outputs differ, values inside are compared too, and the first operation that is\n" +
    "wrong is shown with its line; exit 1. Inputs that are not given are random. Without a GPU wgsl is left out, unless --targets\n" +
    "names it or --storage f16 asks for it.\n" +
    `With --train, a gradient is compared with its rms or ${gradientShare} of the largest rms of the gradients, whichever is larger: that of a\n` +
    "bias before a batch norm is zero but for rounding of the others. Updated elements whose gradients are off by more than\n" +
    `${clearGradient} of themselves are left out and counted: rounding decides which way an optimizer takes them.\n` +
    "`--targets wasm,reference` with and without --exact tells what Winograd's convolutions cost in accuracy.",
  files: "one",
  options,
  run: diff,
};

async function diff(args: Arguments, io: Io): Promise<number> {
  const [path] = args.files as [string];
  const { train: trains, all } = { train: args.has("train"), all: args.has("all") };
  const settings = compileSettings(args);
  const tolerance = toleranceOf(args, settings);
  const images = { normalisation: normalisationOf(args), resize: args.has("resize") };
  const [typed, weights, threads] = [await givenInputs(args), weightsOf(args), threadsOf(args, 1)];
  const { base: first, others, optional } = await targetsOf(args, settings, io);
  noteUselessFlags(args, [first, ...others], io);
  if (settings.storage === "f16" && others.includes("wgsl") && !args.has("tolerance"))
    note(io, `wgsl keeps large tensors as halves: all targets are compared to ${tolerance}, --tolerance says otherwise`);
  const dims = { ...bindDimensions(readText(path), path, settings, typed), ...settings.dims };
  const job: Job = { path, settings, targets: [first, ...others], dims, train: trains, threads, io };
  const built = await build(job, first, outputsOnly);
  warnOfWork(built, io);
  const known = built.entry.inputs.map((i) => i.name);
  const given = new Map([...typed].map(([name, value]) => [programName(name, known), value]));
  const { values, invented, scaled: notes } = fillInputs(built.entry.inputs, given, images);
  for (const text of [...invented, ...notes]) note(io, text);
  const seed = settings.seed ?? 0;
  const loading = { ...(weights ? { weights } : {}), seed, allowMissing: args.all("allow-missing"), threads, warm: [] };
  const start = await using(built.program, loading, io, weightFiles(args), (net) => net.checkpoint());
  const base = await openBase(job, built, start, values, tolerance);
  const initial: Initial[] = [];
  const differences: Difference[] = [];
  for (const target of others)
    await leavingOut(optional.includes(target), target, io, async () => {
      const other = await build({ ...job, io: quiet(io) }, target, outputsOnly);
      if (!weights) initial.push(...(await initialValues(base, other, seed)));
      differences.push(await differenceOf(base, other, all));
    });
  io.out(args.has("json") ? `${jsonDiff(base, differences, initial)}\n` : describeDiff(base, differences, initial));
  return initial.length > 0 || differences.some((d) => d.located) ? exit.mistake : exit.fine;
}

async function differenceOf(base: Base, other: Built, all: boolean): Promise<Difference> {
  const compared: Compared = await compareTarget(base, other);
  const values = all ? await valueRows(base, other.target) : [];
  const located = (await locateDifference(base, compared)) ?? firstDifference(values);
  return { ...compared, values, located };
}

/** What a seed makes of the variables on another target; where that differs, all later comparisons start from the first one's. */
async function initialValues(
  { job, built, start, tolerance }: Base,
  { target, program }: Built,
  seed: number,
): Promise<readonly Initial[]> {
  const loading = { seed, threads: job.threads, warm: [], ...kernelProgress(job.io) };
  const found = variablesIn(await using(program, loading, quiet(job.io), null, (net) => net.checkpoint()));
  return [...variablesIn(start)].flatMap(([name, expected]): Initial[] => {
    const agreement: Agreement = agreementOf(found.get(name)!, expected, { tolerance });
    if (agrees(agreement)) return [];
    const variable = built.stages.module.variables.find((v) => v.name === name);
    return [{ target, name, agreement, shape: variable?.type.shape ?? [], span: variable?.span ?? null }];
  });
}

/* ---- targets ------------------------------------------------------------------------------------------------------- */

interface Chosen {
  readonly base: Target;
  readonly others: readonly Target[];
  /** Left out where they cannot run: those that nobody asked for; only on wgsl are there halves. */
  readonly optional: readonly Target[];
}
async function targetsOf(args: Arguments, { storage }: CompileSettings, io: Io): Promise<Chosen> {
  const text = args.get("targets");
  const list = text === undefined ? targets : targetList("targets", text);
  if (list.length < 2) fail("flag", `\`--targets ${text}\` is one target`, null, { help: "give two or more: --targets wasm,reference" });
  const base = list.includes("reference") ? "reference" : list[0]!;
  const others = list.filter((t) => t !== base);
  const optional: readonly Target[] = text === undefined && storage !== "f16" ? ["wgsl"] : [];
  if (!list.includes("wgsl")) return { base, others, optional };
  const isThere = await leavingOut(optional.length > 0, "wgsl", io, async () => {
    await gpuSource();
  });
  return { base, others: isThere ? others : others.filter((t) => t !== "wgsl"), optional };
}

/** Whether the work was done: what an optional target cannot do is a note. */
async function leavingOut(isOptional: boolean, target: Target, io: Io, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!isOptional || !cannotRun(error)) throw error;
    const [reason] = error instanceof CompileError ? error.diagnostics.map((d) => d.message) : [error.message];
    note(io, `${target} is left out: ${reason}`);
    return false;
  }
}
const cannotRun = (error: unknown): error is CompileError | DlmError =>
  (error instanceof CompileError && error.diagnostics.every((d) => d.code === "target" || d.code === "limit")) ||
  (error instanceof DlmError && error.code === "unsupported");

/** Operations that the interpreter does in some minutes. */
const longWork = 2e9;
function warnOfWork({ target, program }: Built, io: Io): void {
  const { flops } = program.stats;
  if (target === "reference" && flops > longWork)
    note(io, `the reference interprets ${scaled(flops)} floating-point operations, which takes minutes; --targets wasm,wgsl does without`);
}

function toleranceOf(args: Arguments, { storage }: CompileSettings): number {
  const text = args.get("tolerance") ?? (storage === "f16" ? "1e-2" : "1e-4");
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= 0 && value < Infinity ? value : fail("flag", `\`--tolerance\` must be a number from 0, found \`${text}\``, null);
}
