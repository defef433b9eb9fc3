/** From the files and flags of a command to a program, and from there to a loaded one. */
import type { Question } from "../../ir/choice.ts";
import { type Diagnostic, fail, renderDiagnostics } from "../../ir/diagnostic.ts";
import type { Program } from "../../ir/program.ts";
import { DlmError, type LoadOptions, type Net } from "../../runtime/index.ts";
import type { CompileOptions, Stages } from "../compile.ts";
import { exists, readText } from "./files.ts";
import { gpuSource } from "./gpu.ts";
import { type Io, note } from "./io.ts";
import type { Arguments } from "./options.ts";
import { lateProgress } from "./progress.ts";
import { type CompileSettings, dimsOption } from "./settings.ts";
import { tensorBytes } from "./tensor-files.ts";
import { tellTuning, tellUnused, tuningInUse } from "./tuning.ts";
import { warnUseless, weightHelp } from "./weight-names.ts";

/** Compiles a file; warnings go to standard error. */
export async function buildFile(path: string, settings: CompileSettings, more: Partial<CompileOptions>, io: Io): Promise<Stages> {
  const source = readText(path);
  const { compileStages } = await io.toolchain();
  const tuning = more.tuning ? null : tuningInUse(path, settings);
  const questions: Question[] = [];
  const onQuestion = (question: Question): void => {
    questions.push(question);
    more.onQuestion?.(question);
  };
  const options = { ...optionsOf(settings), ...(tuning ? { tuning: tuning.choices } : {}) };
  const onNote = (text: string) => note(io, text);
  const stages = await compileStages(source, { ...options, file: path, resolve: importedText, onNote, ...more, onQuestion });
  // It may change results by rounding, so nobody should have to guess.
  if (tuning) tellTuning(tuning, questions, io);
  else tellUnused(settings, io);
  checkBatch(settings, stages);
  const warnings = warningsOf(stages);
  const { sources } = stages.module;
  if (warnings.length > 0) io.err(`${renderDiagnostics(warnings, sources)}\n`);
  return stages;
}

function checkBatch({ batch, bindings }: CompileSettings, { module }: Stages): void {
  const other = bindings
    .map((b) => (module.batch === null ? undefined : b[module.batch]))
    .find((size) => size !== undefined && size !== batch);
  if (batch !== undefined && other !== undefined)
    fail("flag", `\`--dim ${module.batch}=${other}\` and \`--batch ${batch}\` contradict each other`, null, { help: "give one of them" });
}

/** What every binding warns of is said once. */
function warningsOf({ bindings }: Stages): readonly Diagnostic[] {
  const all = bindings.flatMap((b) => b.module.warnings);
  return [...new Map(all.map((d) => [JSON.stringify([d.code, d.message, d.span]), d])).values()];
}

/** Text of an imported file; null: there is none. */
export const importedText = (path: string): string | null => (exists(path) ? readText(path) : null);

function optionsOf({ exact, relaxed, reproducible, seed: _, tuning: _file, bindings, ...rest }: CompileSettings): CompileOptions {
  return {
    ...rest,
    dims: dimsOption(bindings),
    ...(exact ? { exact: true } : {}),
    ...(reproducible ? { reproducible: true } : {}),
    ...(relaxed ? { relaxed: true } : {}),
  };
}

/** Loads a program with the weights of the command line, which came from `file`; what the runtime has to tell goes to standard error. */
export async function loadProgram(program: Program, options: LoadOptions, io: Io, file: string | null = null): Promise<Net> {
  const { load } = await io.toolchain();
  const { weights, allowMissing = [] } = options;
  const net = await naming(
    file,
    async () => load(program, program.code.kind === "wgsl" ? { gpu: await gpuSource(), ...kernelProgress(io), ...options } : options),
    (named) => weightHelp(program, weights ?? [], allowMissing, named),
  );
  if (weights && file !== null) warnUseless(program, weights, allowMissing, file, io);
  for (const text of net.notes) note(io, text);
  return net;
}

/** Kernels are compiled by the GPU's driver, which some take long for. */
export function kernelProgress(io: Io): Required<Pick<LoadOptions, "onProgress">> {
  let tell = lateProgress(io, "GPU kernel");
  return {
    onProgress: ({ done, total }) => {
      // What a later call needs is work of its own.
      if (done === 1) tell = lateProgress(io, "GPU kernel");
      tell(done, total);
    },
  };
}

/** The files of `--weights`, for messages. */
export const weightFiles = (args: Arguments): string | null => args.all("weights").join(", ") || null;

/** Weights and checkpoints that do not fit are named; `more` is what there is to say about weights. */
export async function naming<T>(file: string | null, work: () => Promise<T>, more: (file: string) => string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (file === null || !(error instanceof DlmError) || (error.code !== "weights" && error.code !== "checkpoint")) throw error;
    throw new DlmError(error.code, `${file}: ${error.message}${error.code === "weights" ? more(file) : ""}`, error);
  }
}

/** `--weights FILE` and `--weights PREFIX=FILE`, checked; null: none given. */
export function weightsOf(args: Arguments): { readonly prefix: string; readonly data: Uint8Array }[] | null {
  const given = args.all("weights").map((text) => {
    const [, prefix, path] = (!exists(text) && /^([\w.]+)=(.+)$/.exec(text)) || [text, "", text];
    return { prefix: prefix!, data: tensorBytes(path!) };
  });
  return given.length ? given : null;
}
