/** What a binding says about a program, as pieces of TypeScript. */
import { type EntryName, entryOf, type Field, type Program, printDims, type Signature } from "../../ir/program.ts";
import { type DType, printType, tensor } from "../../ir/type.ts";

/** A property of an interface. */
export interface Property {
  readonly name: string;
  readonly type: string;
  readonly doc: string;
}
/** Names that every binding declares. */
export const declaredNames = [
  "Tensor",
  "Inputs",
  "Outputs",
  "StepInputs",
  "StepResult",
  "Metrics",
  "LoadOptions",
  "LoadedNet",
  "Picture",
  "GpuBinding",
  "GpuBuffer",
  "DlmError",
  "AnyProgram",
] as const;

/** The program's name as an identifier that is free in the binding. */
export function bindingName(program: Program): string {
  const word = program.name.replaceAll(/[^A-Za-z0-9_$]/g, "_").replace(/^(?=\d)|^$/, "_");
  const taken: ReadonlySet<string> = new Set([...declaredNames, ...reserved]);
  return taken.has(word) ? `${word}_` : word;
}
/** Words of the language, and what the binding itself declares. */
const reserved = (
  "arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally " +
  "for function if implements import in instanceof interface let load new null package private program protected public read " +
  "return static super switch this throw true try typeof var void while with yield " +
  "files manifests opened program programFromArtefact programs read shape"
).split(" ");

const isWord = (name: string) => /^[A-Za-z_$][\w$]*$/.test(name);
const shapeOf = (f: Field) => `readonly [${f.shape.join(", ")}]`;
const tensorOf = (f: Field) => `Tensor<"${f.dtype}", ${shapeOf(f)}>`;
const lists: Record<DType, string> = {
  f32: "readonly number[]",
  i32: "readonly number[]",
  u8: "readonly number[]",
  bool: "readonly (number | boolean)[]",
};
const single: Record<DType, string> = { f32: "number", i32: "number", u8: "number", bool: "number | boolean" };

/** An input or output with the types that it has in the bindings of the program; there is at least one. */
type Variants = readonly [Field, ...Field[]];
const each = (fields: Variants, text: (f: Field) => string): readonly string[] => [...new Set(fields.map(text))];

function docOf(fields: Variants): string {
  const types = each(fields, (f) => printType(tensor(f.dtype, f.shape))).join(" or ");
  const ranges = each(fields, ({ range }) => (range ? `${range.min}..${range.max}` : "")).filter((t) => t);
  return [`${types}, row-major.`, ranges.length > 0 ? `Values ${ranges.join(" or ")}.` : "", fields[0].doc ?? ""]
    .filter((t) => t)
    .join(" ");
}
const property = (fields: Variants, type: readonly string[]): Property => {
  const [{ name }] = fields;
  return { name: isWord(name) ? name : JSON.stringify(name), type: type.join(" | "), doc: docOf(fields) };
};
const isScalar = (f: Field) => f.shape.every((d) => d === 1);

/** An entry as each binding has it. */
export const signaturesOf = (program: Program, entry: EntryName): readonly Signature[] =>
  program.entries.filter((e) => entryOf(e.name) === entry);
/** Inputs or outputs, in order; bindings differ in their shapes only. */
const variantsOf = (entries: readonly Signature[], side: "inputs" | "outputs"): readonly Variants[] =>
  (entries[0]?.[side] ?? []).map((f, i) => [f, ...entries.slice(1).flatMap((e) => e[side][i] ?? [])]);

/** Inputs that the runtime fills from pictures: see `InputValues` there. */
const takesPictures = ({ dtype, shape }: Field): boolean => dtype === "f32" && shape.length >= 3 && shape.at(-3)! <= 4;
const takesOne = (f: Field): boolean => takesPictures(f) && f.shape.slice(0, -3).every((d) => d === 1);
const takesList = (f: Field): boolean => takesPictures(f) && f.shape.length > 3;

/** `onGpu`: buffers of the device are inputs too. */
export const inputProperties = (entries: readonly Signature[], onGpu: boolean): Property[] =>
  variantsOf(entries, "inputs").map((fields) => {
    const [{ dtype }] = fields;
    return property(fields, [
      ...each(fields, tensorOf),
      lists[dtype],
      ...(fields.some(isScalar) ? [single[dtype]] : []),
      ...(fields.some(takesOne) ? ["Picture"] : []),
      ...(fields.some(takesList) ? ["readonly Picture[]"] : []),
      ...(onGpu ? ["GpuBuffer", "GpuBinding"] : []),
    ]);
  });
export const outputProperties = (entries: readonly Signature[]): Property[] =>
  variantsOf(entries, "outputs").map((fields) => property(fields, each(fields, tensorOf)));
/** Outputs of one element beside the loss are metrics: numbers. */
export const metricProperties = (entries: readonly Signature[]): Property[] =>
  variantsOf(entries, "outputs")
    .filter((fields) => fields[0].name !== "loss" && fields.every(isScalar))
    .map((fields) => property(fields, ["number"]));
/** What all inputs of a call have to agree in. */
export const bindingsOf = ({ bindings }: Program): string =>
  bindings ? ` All are of one binding: ${bindings.map(printDims).join("; ")}.` : "";

/** The description of each program: `net.json` for the first, `net.webgpu.json` for one for WebGPU beside it. */
export const manifestsOf = (programs: readonly Program[], stem: string): readonly { readonly device: string; readonly file: string }[] =>
  programs.map(({ code }, i) => {
    const device = code.kind === "wgsl" ? "webgpu" : "wasm";
    return { device, file: i === 0 ? `${stem}.json` : `${stem}.${device}.json` };
  });

/** Names of the files of a program beside the binding; see `artefactOf` in the runtime. */
export function filesOf({ code }: Program, stem: string, manifest: string): string[] {
  switch (code.kind) {
    case "wasm":
      return [manifest, `${stem}.wasm`, ...(code.relaxed ? [`${stem}.relaxed.wasm`] : [])];
    case "wgsl":
      return [manifest, `${stem}.wgsl.json`];
    case "host":
      return [];
  }
}
