/** Sketches of one model at several sizes as one sketch for all: numbers that differ become what they follow from. */
import type { Dims } from "../../../ir/program.ts";
import { printTerm } from "../../decompile/print-term.ts";
import {
  type Extent,
  int,
  mapTerm,
  type OpenType,
  type Sketch,
  type Step,
  type Term,
  type Weight,
  word,
  wordsIn,
} from "../../decompile/sketch.ts";
import { formulaOf, isConstant } from "../export/formula.ts";

export interface Sample {
  readonly sizes: Dims;
  readonly sketch: Sketch;
}

/** The sketch for every size; a text: what depends on a size otherwise. Each size is the only one to differ from the first in some. */
export function generalise(samples: readonly Sample[]): Sketch | string {
  const sizes = samples.map((s) => s.sizes);
  const sketches = samples.map((s) => s.sketch);
  const [first, ...others] = sketches as [Sketch, ...Sketch[]];
  const variable = others.map((s) => differentVariable(first, s)).find((name) => name !== null);
  if (variable) return `${variable} depends on it`;
  const steps: Step[] = [];
  for (const [i, step] of first.steps.entries()) {
    const all = sketches.map((s) => s.steps[i]);
    const term = all.every((s) => s && isAlike(s, step))
      ? overall(
          all.map((s) => s!.term),
          sizes,
        )
      : null;
    if (!term) return `${nameOf(step)} depends on it`;
    steps.push({ ...step, term });
  }
  if (others.some((s) => s.steps.length > steps.length || outputsOf(s) !== outputsOf(first))) return "what is computed depends on it";
  const inputs = first.inputs.map((input, i) => ({
    ...input,
    type: openType(
      sketches.map((s) => s.inputs[i]!.type),
      sizes,
    ),
  }));
  return { ...first, inputs, steps, types: openTypes(sketches, sizes) };
}
const outputsOf = (s: Sketch): string => s.outputs.map((o) => o.value).join();
/** What a step calls, with the label that says where. */
function nameOf({ term }: Step): string {
  const [callee] = wordsIn(term);
  return term.kind === "call" && term.label !== null ? `${term.label}: ${term.callee}` : `\`${callee ?? printTerm(term)}\``;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

function differentVariable(a: Sketch, b: Sketch): string | null {
  const at = a.variables.findIndex((v, i) => v.name !== b.variables[i]?.name || !isSame(v, b.variables[i]!));
  const found = a.variables[at] ?? b.variables[a.variables.length];
  return found ? `the table \`${found.label ?? found.name}\`` : null;
}
const isAlike = (a: Step, b: Step): boolean =>
  a.results.join() === b.results.join() &&
  a.weights.size === b.weights.size &&
  [...a.weights].every(([path, w]) => isSame(w, b.weights.get(path)));
function isSame(a: Weight, b: Weight | undefined): boolean {
  if (!b || a.type.dtype !== b.type.dtype || a.type.shape.join() !== b.type.shape.join()) return false;
  // a loop: there may be hundreds of millions
  for (let i = 0; i < a.data.length; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}

/* ---- terms and types --------------------------------------------------------------------------------------------- */

/** null: they differ in more than numbers that follow from sizes. */
function overall(terms: readonly Term[], sizes: readonly Dims[]): Term | null {
  const [first] = terms as [Term];
  const texts = new Set(terms.map((t) => printTerm(t)));
  if (texts.size === 1) return first;
  if (new Set(terms.map((t) => printTerm(withInts(t, () => word("#"))))).size > 1) return null;
  const numbers = terms.map(intsIn);
  const found = numbers[0]!.map((_, i) =>
    numberOf(
      numbers.map((n) => n[i]!),
      sizes,
    ),
  );
  if (!found.every((n) => n !== null)) return null;
  let at = 0;
  return withInts(first, () => found[at++]!);
}
const withInts = (t: Term, f: (n: number) => Term): Term => (t.kind === "int" ? f(t.value) : mapTerm(t, (x) => withInts(x, f)));
function intsIn(t: Term): readonly number[] {
  const ints: number[] = [];
  withInts(t, (n) => {
    ints.push(n);
    return int(n);
  });
  return ints;
}
function numberOf(values: readonly number[], sizes: readonly Dims[]): Term | null {
  const extent = extentOf(values, sizes);
  return typeof extent === "number" ? int(extent) : extent;
}
function extentOf(values: readonly number[], sizes: readonly Dims[]): number | Extent | null {
  const formula = formulaOf(values, sizes);
  return formula && (isConstant(formula) ? formula.offset : { kind: "extent", ...formula });
}
function openType(types: readonly OpenType[], sizes: readonly Dims[]): OpenType {
  const [first] = types as [OpenType];
  const along = (axis: number) => types.map((t) => Number(t.shape[axis]));
  return { dtype: first.dtype, shape: first.shape.map((_, axis) => extentOf(along(axis), sizes)) };
}
function openTypes(sketches: readonly Sketch[], sizes: readonly Dims[]): ReadonlyMap<string, OpenType> {
  return new Map(
    [...(sketches[0]!.types ?? [])].flatMap(([name]): [string, OpenType][] => {
      const all = sketches.flatMap((s) => s.types?.get(name) ?? []);
      return all.length === sketches.length ? [[name, openType(all, sizes)]] : [];
    }),
  );
}
