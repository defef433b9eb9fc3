/** One target of `dlm diff` at work: compiled with what is to be looked at, loaded with given variables, run once. */
import { type EntryName, entryOf, type Program, type Signature } from "../../ir/program.ts";
import { type LoadOptions, type Net, type OutputValues, parseSafetensors } from "../../runtime/index.ts";
import { numbersOf } from "../../runtime/safetensors.ts";
import { graphsFor, type Look, type Seen, type Subject, sortOut, subjectOf } from "../compare/watch.ts";
import type { Stages } from "../compile.ts";
import type { TensorData } from "../formats/array.ts";
import { buildFile, kernelProgress, loadProgram } from "./build.ts";
import type { Io } from "./io.ts";
import { type CompileSettings, settingsFor, type Target } from "./settings.ts";

export interface Job {
  readonly path: string;
  readonly settings: CompileSettings;
  /** All that are compared. */
  readonly targets: readonly Target[];
  readonly dims: Readonly<Record<string, number>>;
  readonly train: boolean;
  readonly threads: number;
  readonly io: Io;
}
export interface Built {
  readonly target: Target;
  readonly stages: Stages;
  readonly program: Program;
  readonly subject: Subject;
  /** What is run. */
  readonly entry: Signature;
}
/** By name, as in a checkpoint. */
export type Variables = ReadonlyMap<string, ArrayLike<number>>;
export interface Ran {
  readonly seen: Seen<OutputValues>;
  /** After the run. */
  readonly variables: Variables;
}

/** Small: an interpreter takes part. */
const trainingBatch = 4;

/** The source is elaborated alike each time, so that values have the same numbers. */
export async function build({ path, settings, targets, dims, train, io }: Job, target: Target, look: Look): Promise<Built> {
  let subject: Subject | null = null;
  const batch = train && settings.batch === undefined ? { batch: trainingBatch } : {};
  const stages = await buildFile(
    path,
    settingsFor(settings, target, targets),
    {
      dims,
      train,
      ...batch,
      onSource: (source) => {
        subject = subjectOf(source, train);
        return graphsFor(source, subject, look);
      },
    },
    io,
  );
  const { program } = stages;
  const name: EntryName = train ? "step" : "forward";
  return { target, stages, program, subject: subject!, entry: program.entries.find((e) => entryOf(e.name) === name)! };
}

/** Loads, does something, and frees the memory. */
export async function using<T>(program: Program, options: LoadOptions, io: Io, file: string | null, work: (net: Net) => Promise<T>) {
  const net = await loadProgram(program, options, io, file);
  try {
    return await work(net);
  } finally {
    await net.dispose();
  }
}

/** `start`: a checkpoint. */
export const runFrom = (
  { program, entry }: Built,
  start: Uint8Array<ArrayBuffer>,
  values: Readonly<Record<string, TensorData>>,
  { threads, io }: Job,
): Promise<Ran> =>
  using(program, { checkpoint: start, threads, warm: [], ...kernelProgress(io) }, quiet(io), null, async (net) => {
    const outputs = entryOf(entry.name) === "step" ? ((await net.step(values)).watched ?? {}) : await net.run(values);
    return { seen: sortOut(outputs), variables: variablesIn(await net.checkpoint()) };
  });

export const variablesIn = (checkpoint: Uint8Array): Variables =>
  new Map(parseSafetensors(checkpoint).entries.map((e) => [e.name, numbersOf(e)]));

/** What the first target has said is not said again. */
export const quiet = (io: Io): Io => ({ ...io, err: () => undefined });
