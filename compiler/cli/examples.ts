/** The data of `train` and `eval`: opened, split, and matched to programs of several batch sizes. */
import { fail } from "../../ir/diagnostic.ts";
import type { Program } from "../../ir/program.ts";
import type { CompileOptions, Stages } from "../compile.ts";
import type { Feed, SizeHint } from "../formats/feed.ts";
import { openData } from "../formats/open.ts";
import { type DataSource, type Split, sliceOf } from "../formats/source.ts";
import { buildFile } from "./build.ts";
import { readBytes, readText } from "./files.ts";
import { dimensionHint, freeDimensions } from "./free-dimensions.ts";
import { type Io, note } from "./io.ts";
import type { Arguments, Options } from "./options.ts";
import type { CompileSettings } from "./settings.ts";

export const dataOption: Options = {
  data: { value: "SPEC", help: "idx:IMAGES,LABELS, npz:FILE, csv:FILE or synthetic:digits" },
};
export const defaultBatch = 32;

export function sourceOf(args: Arguments): DataSource | null {
  const spec = args.get("data");
  return spec === undefined ? null : openData(spec, readBytes);
}
export const needData = (names: readonly string[]): never =>
  fail("flag", `the model needs data for ${names.map((n) => `\`${n}\``).join(", ")}`, null, {
    help: "give --data, for example --data synthetic:digits",
  });

export function valOf(args: Arguments): number | undefined {
  const text = args.get("val");
  if (text === undefined) return undefined;
  const fraction = text.trim() === "" ? Number.NaN : Number(text);
  return fraction >= 0 && fraction < 1 ? fraction : fail("flag", `\`--val\` must be a fraction from 0 up to 1, found \`${text}\``, null);
}

/** What `--dim` would make the model take the data. */
export const sizeHint = (args: Arguments, settings: CompileSettings): SizeHint => {
  const path = args.files[0]!;
  return (input, now, wanted) => {
    const flags = dimensionHint(freeDimensions(readText(path), path, settings), input, now, wanted);
    return flags === null ? null : `add ${flags}`;
  };
};

/** Fields that no name matched are told: the order may be wrong. */
export function noteOrder({ byOrder }: Feed, io: Io): void {
  if (byOrder.length) note(io, `data matched by order, not by name: ${byOrder.join(", ")}`);
}

/** `--val F` keeps the last fraction of the examples; without it a source's own held-out examples serve, if it has any. */
export function splitsOf(source: DataSource, args: Arguments): { readonly train: Split; readonly validation: Split | null } {
  const fraction = valOf(args);
  if (fraction === undefined) return { train: source.train, validation: source.heldOut };
  const { count } = source.train;
  const kept = Math.round(count * fraction);
  return { train: sliceOf(source.train, 0, count - kept), validation: kept > 0 ? sliceOf(source.train, count - kept, count) : null };
}

/** Compiles the model's training program; `smaller` gives the same one for fewer examples, each size once. */
export interface TrainingBuild {
  readonly stages: Stages;
  readonly smaller: (batch: number) => Promise<Program | null>;
}
export async function buildTraining(path: string, settings: CompileSettings, batch: number, io: Io): Promise<TrainingBuild> {
  const build = (more: Partial<CompileOptions>, to: Io) => buildFile(path, settings, { train: true, batch, ...more }, to);
  const stages = await build({}, io);
  const { batch: name } = stages.module;
  const made = new Map<number, Program>();
  const smaller = async (count: number): Promise<Program | null> => {
    if (name === null) return null;
    // its warnings were shown before
    const program =
      made.get(count) ?? (await build({ dims: { ...settings.dims, [name]: count } }, { ...io, err: () => undefined })).program;
    made.set(count, program);
    return program;
  };
  return { stages, smaller };
}
