/** Rules that say the same in other words, applied to the steps of a sketch from first to last. */
import type { TensorType } from "../../../ir/type.ts";
import { axesOf, isIdentity, permuteTerm } from "../rearranging.ts";
import {
  type OpenType,
  renamedValues,
  type Sketch,
  type Step,
  type Term,
  type Variable,
  value,
  valuesIn,
  withoutUnused,
} from "../sketch.ts";

/** What a rule sees of the program, and writes. */
export interface Pen {
  /** The step that makes a value; null: it is an input or variable. */
  readonly maker: (name: string) => Step | null;
  /** How often it is used in the sketch as it was. */
  readonly uses: (name: string) => number;
  readonly typeOf: (name: string) => TensorType | null;
  readonly variable: (name: string) => Variable | null;
  /** Makes a step in front of the one at hand; gives its result. */
  readonly emit: (term: Term, type: TensorType, weights?: Step["weights"]) => string;
}
/** What a step becomes; null: it stays. */
export type Rule = (step: Step, pen: Pen) => Pick<Step, "term" | "weights"> | null;

/** Extents of the sketch are numbers. */
export function rewritten(sketch: Sketch, rules: readonly Rule[]): Sketch {
  const uses = new Map<string, number>();
  for (const name of [...sketch.steps.flatMap((s) => valuesIn(s.term)), ...sketch.outputs.map((o) => o.value)])
    uses.set(name, (uses.get(name) ?? 0) + 1);
  const types = new Map<string, OpenType>([...(sketch.types ?? []), ...sketch.inputs.map((i) => [i.name, i.type] as const)]);
  const variables = new Map(sketch.variables.map((v) => [v.name, v]));
  const makers = new Map<string, Step>();
  const same = new Map<string, string>();
  const steps: Step[] = [];
  const add = (step: Step): void => {
    steps.push(step);
    for (const r of step.results) makers.set(r, step);
  };
  let made = 0;
  const pen: Pen = {
    maker: (name) => makers.get(name) ?? null,
    uses: (name) => uses.get(name) ?? 1,
    typeOf: (name) => numbered(types.get(name) ?? variables.get(name)?.type),
    variable: (name) => variables.get(name) ?? null,
    emit: (term, type, weights = new Map()) => {
      const name = `idiom/${made++}`;
      types.set(name, type);
      add(settled({ results: [name], term, weights }, rules, pen));
      return name;
    },
  };
  const current = (name: string): string => same.get(name) ?? name;
  for (const step of sketch.steps) {
    const next = settled({ ...step, term: renamedValues(step.term, current) }, rules, pen);
    if (next.term.kind === "value") same.set(step.results[0]!, next.term.name);
    else add(next);
  }
  const outputs = sketch.outputs.map((o) => ({ ...o, value: current(o.value) }));
  return withoutUnused({ ...sketch, steps, outputs, types });
}
function settled(step: Step, rules: readonly Rule[], pen: Pen): Step {
  for (let s = step; ; ) {
    const found = rules.map((rule) => rule(s, pen)).find((r) => r !== null);
    if (!found) return s;
    s = { ...s, ...found };
  }
}
function numbered(type: OpenType | undefined): TensorType | null {
  const shape = type?.shape.filter((d) => typeof d === "number");
  return type && shape?.length === type.shape.length ? { dtype: type.dtype, shape, layout: null } : null;
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

const views: ReadonlySet<string> = new Set(["reshape", "flatten", "squeeze", "unsqueeze"]);
/** What a step views in another shape; null: it is no view. */
export function viewed(step: Step | null): string | null {
  const t = step?.term;
  return t?.kind === "call" && views.has(t.callee) && t.args[0]?.kind === "value" ? t.args[0].name : null;
}
/** What a step permutes, and how; null: it permutes nothing. */
export function permuted(step: Step | null, pen: Pen): { readonly source: string; readonly axes: readonly number[] } | null {
  const source = step?.term.kind === "call" ? step.term.args[0] : undefined;
  const type = source?.kind === "value" ? pen.typeOf(source.name) : null;
  const axes = type && axesOf(step!.term, type.shape.length);
  return axes && source?.kind === "value" ? { source: source.name, axes } : null;
}
/** The name of a value whose axis i is axis axes[i] of another. */
export function permutation(name: string, axes: readonly number[], pen: Pen): string | null {
  const inner = permuted(pen.maker(name), pen);
  if (inner)
    return permutation(
      inner.source,
      axes.map((a) => inner.axes[a]!),
      pen,
    );
  const type = pen.typeOf(name);
  if (isIdentity(axes) || !type) return isIdentity(axes) ? name : null;
  return pen.emit(permuteTerm(value(name), axes), { ...type, shape: axes.map((a) => type.shape[a]!) });
}
