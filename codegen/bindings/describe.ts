/** What a binding says about a program, as pieces of TypeScript. */
import type { EntryName, Field, Program } from "../../ir/program.ts";
import { type DType, printType, tensor } from "../../ir/type.ts";

/** A property of an interface. */
export interface Property {
  readonly name: string;
  readonly type: string;
  readonly doc: string;
}
/** Names that every binding declares. */
export const declaredNames = ["Tensor", "Inputs", "Outputs", "StepInputs", "StepResult", "Metrics", "LoadOptions", "Net"] as const;

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
  "files opened program programFromArtefact read shape"
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

function docOf(f: Field): string {
  const range = f.range ? `Values ${f.range.min}..${f.range.max}.` : "";
  return [`${printType(tensor(f.dtype, f.shape))}, row-major.`, range, f.doc ?? ""].filter((t) => t).join(" ");
}
const property = (f: Field, type: string): Property => ({ name: isWord(f.name) ? f.name : JSON.stringify(f.name), type, doc: docOf(f) });
const isScalar = (f: Field) => f.shape.every((d) => d === 1);

export const signatureOf = (program: Program, entry: EntryName) => program.entries.find((e) => e.name === entry) ?? null;
export const inputProperty = (f: Field): Property =>
  property(f, [tensorOf(f), lists[f.dtype], ...(isScalar(f) ? [single[f.dtype]] : [])].join(" | "));
export const outputProperty = (f: Field): Property => property(f, tensorOf(f));
/** Outputs of one element beside the loss are metrics: numbers. */
export const metricProperties = (outputs: readonly Field[]): Property[] =>
  outputs.filter((f) => f.name !== "loss" && isScalar(f)).map((f) => property(f, "number"));

/** Names of the files beside the binding; see `artefactOf` in the runtime. */
export function filesOf(program: Program, stem: string): string[] {
  const { code } = program;
  switch (code.kind) {
    case "wasm":
      return [`${stem}.json`, `${stem}.wasm`, ...(code.relaxed ? [`${stem}.relaxed.wasm`] : [])];
    case "wgsl":
      return [`${stem}.json`, `${stem}.wgsl.json`];
    case "host":
      return [];
  }
}
