/** Compiling and running models of the zoo. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CompileOptions, compile } from "../../compiler/compile.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import type { Inputs, Program } from "../../runtime/index.ts";
import { hashes } from "../examples/formula.ts";
import type { Part } from "../examples/golden.ts";

export const folder = join(import.meta.dirname, "../../examples/zoo");
export const files = readdirSync(folder).filter((name) => name.endsWith(".dlm"));

export interface Choice extends CompileOptions {
  /** A file of the zoo, without its ending. */
  readonly name: string;
  readonly model: string;
  /** Instead of the file's text. */
  readonly text?: string;
}
export const compileZoo = ({ name, text, ...options }: Choice): Promise<Program> =>
  compile(text ?? zooFiles[`${name}.dlm`]!, { file: `std/${name}.dlm`, ...options });

/** The file with `lines` at the end of a model's train block; the last line that says something wins. */
export function withLines(name: string, model: string, block: string | null, lines: readonly string[]): string {
  const text = zooFiles[`${name}.dlm`]!;
  const start = text.indexOf(block && block !== model ? `\ntrain ${block}: ${model} {` : `\ntrain ${model} {`);
  if (start < 0) throw new Error(`${name}.dlm has no such train block`);
  const end = text.indexOf("\n}", start);
  return [text.slice(0, end), ...lines.map((line) => `\n  ${line}`), text.slice(end)].join("");
}

/** Integers below a bound, or numbers in 0..1, by hashes of the name. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly below?: number;
  readonly draw?: number;
}
export function inputsOf(specs: Readonly<Record<string, InputSpec>>): Inputs {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { shape, below, draw = 0 }]) => {
      const words = hashes(
        `${name}.${draw}`,
        shape.reduce((n, d) => n * d, 1),
      );
      return [
        name,
        below === undefined ? Float32Array.from(words, (h) => 0.5 + (h / 2 ** 31 - 1) * 0.5) : Int32Array.from(words, (h) => h % below),
      ];
    }),
  );
}
/** Those that an entry takes. */
export const only = (inputs: Inputs, program: Program, entry: "forward" | "step"): Inputs =>
  Object.fromEntries(program.entries.find((e) => e.name === entry)!.inputs.map(({ name }) => [name, inputs[name]!]));

export interface Golden {
  readonly file: string;
  readonly model: string;
  readonly block: string | null;
  readonly set: Readonly<Record<string, string>>;
  readonly dims: Readonly<Record<string, number>>;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly outputs: Part;
  readonly loss: Part;
  readonly gradients: Part;
  readonly states: Part;
}
const goldens = join(import.meta.dirname, "goldens");
export const goldenNames = readdirSync(goldens).map((file) => file.replace(".json", ""));
export const readGolden = (name: string): Golden => JSON.parse(readFileSync(join(goldens, `${name}.json`), "utf8")) as Golden;
