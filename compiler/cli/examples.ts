/** The data of `train` and `eval`: opened, split, and matched to programs of several batch sizes. */
import { CompileError, fail } from "../../ir/diagnostic.ts";
import type { Field, Program } from "../../ir/program.ts";
import { sameShape } from "../../ir/type.ts";
import type { CompileOptions, Stages } from "../compile.ts";
import type { Feed } from "../formats/feed.ts";
import { dataForms, openData } from "../formats/open.ts";
import { type Data, type DataSource, type Hints, type Split, sliceOf } from "../formats/source.ts";
import { buildFile, importedText } from "./build.ts";
import { findCompanion } from "./companions.ts";
import { extentHint } from "./extent-hint.ts";
import { disk, readText } from "./files.ts";
import { dimensionHint, freeDimensions } from "./free-dimensions.ts";
import { type Io, note } from "./io.ts";
import type { Arguments, Options } from "./options.ts";
import type { CompileSettings } from "./settings.ts";

export const dataOptions: Options = {
  data: { value: "SPEC", help: dataForms },
  resize: { help: "bring pictures of images:DIR to the size of their input" },
};
export const defaultBatch = 32;

/** Reads what `--data` names; null: not given. */
export function dataOf(args: Arguments): Data | null {
  const spec = args.get("data");
  if (args.all("data").length > 1) fail("flag", "`--data` is given twice, expected one source", null, { help: "keep one of them" });
  if (args.has("resize") && !spec?.startsWith("images:")) fail("flag", "`--resize` is for pictures: --data images:DIR", null);
  return spec === undefined ? null : openData(spec, disk);
}
export const needData = (names: readonly string[]): never =>
  fail("flag", `the model needs data for ${names.map((n) => `\`${n}\``).join(", ")}`, null, {
    help: "give --data, for example --data synthetic:digits",
  });

/** How a command uses its examples. */
export interface Use {
  /** Rows of a batch continue those of the batch before. */
  readonly streams: () => Promise<boolean>;
  /** The weights may be a start for something new. */
  readonly fresh: boolean;
}
/** Examples for a program. */
export const fitData = (data: Data, inputs: readonly Field[], use: Use, args: Arguments, settings: CompileSettings): Promise<DataSource> =>
  data.fit({
    ...use,
    inputs,
    resize: args.has("resize"),
    companion: (ending) => findCompanion(args, ending),
    hints: hintsOf(args, settings),
  });

/** Flags with which the model would take the data. */
export function hintsOf(args: Arguments, settings: CompileSettings): Hints {
  const path = args.files[0]!;
  return {
    size: (input, now, wanted) => dimensionHint(freeDimensions(readText(path), path, settings), input, now, wanted),
    extent: (now, wanted) => extentHint(readText(path), path, settings, now, wanted),
  };
}

export function valOf(args: Arguments): number | undefined {
  const text = args.get("val");
  if (text === undefined) return undefined;
  const fraction = text.trim() === "" ? Number.NaN : Number(text);
  return fraction >= 0 && fraction < 1 ? fraction : fail("flag", `\`--val\` must be a fraction from 0 up to 1, found \`${text}\``, null);
}

/** What the source has to tell, and fields that no name matched: the order may be wrong. */
export function noteData({ notes }: DataSource, { byOrder }: Feed, io: Io): void {
  for (const text of notes) note(io, text);
  if (byOrder.length) note(io, `data matched by order, not by name: ${byOrder.join(", ")}`);
}

/** `--val F` keeps the last fraction of the examples; without it a source's own held-out examples serve, if it has any. */
export function splitsOf(source: DataSource, args: Arguments): { readonly train: Split; readonly validation: Split | null } {
  const fraction = valOf(args);
  if (fraction === undefined) return { train: source.train, validation: source.heldOut };
  if (source.cut) {
    const { train, kept } = source.cut(fraction);
    return { train, validation: kept };
  }
  const { count } = source.train;
  const kept = Math.round(count * fraction);
  return { train: sliceOf(source.train, 0, count - kept), validation: kept > 0 ? sliceOf(source.train, count - kept, count) : null };
}

/** A model's training program. */
export interface TrainingBuild {
  readonly stages: Stages;
  /** The same program for fewer examples, each size compiled once; null: its batch cannot change. */
  readonly smaller: (batch: number) => Promise<Program | null>;
  /** A state of the step has a value for every row of the batch. */
  readonly batchedState: () => Promise<boolean>;
}
export async function buildTraining(
  path: string,
  settings: CompileSettings,
  batch: number,
  io: Io,
  options: Pick<CompileOptions, "onSource"> = {},
): Promise<TrainingBuild> {
  const build = (more: Partial<CompileOptions>, to: Io) => buildFile(path, settings, { train: true, batch, ...options, ...more }, to);
  const stages = await build({}, io);
  const { batch: name } = stages.module;
  const made = new Map<number, Program>();
  let batched: Promise<boolean> | null = null;
  const batchedState = () => {
    batched ??= stateFollowsBatch(path, settings, stages);
    return batched;
  };
  const smaller = async (count: number): Promise<Program | null> => {
    if (name === null || (await batchedState())) return null;
    // its warnings were shown before
    const program =
      made.get(count) ?? (await build({ dims: { ...settings.dims, [name]: count } }, { ...io, err: () => undefined })).program;
    made.set(count, program);
    return program;
  };
  return { stages, smaller, batchedState };
}

/** Whether a state has another shape for another batch. Without a state that could, nothing is elaborated. */
async function stateFollowsBatch(path: string, settings: CompileSettings, { module, program }: Stages): Promise<boolean> {
  const { batch, dims } = module;
  const states = program.variables.filter((v) => v.kind === "state");
  if (batch === null || !states.some((v) => v.shape.some((extent) => extent % dims[batch]! === 0))) return false;
  const { elaborate } = await import("../frontend/elaborate.ts");
  const { model = null, trainBlock = null, set } = settings;
  const more = { ...dims, [batch]: dims[batch]! + 1 };
  try {
    const text = readText(path);
    const { variables } = elaborate({ path, text, resolve: importedText, model, trainBlock, dims: more, batch: null, set, train: true });
    return states.some((s) => variables.some((v) => v.name === s.name && !sameShape(v.type.shape, s.shape)));
  } catch (error) {
    if (error instanceof CompileError) return false;
    throw error;
  }
}
