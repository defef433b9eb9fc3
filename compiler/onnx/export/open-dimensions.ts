/**
 * Dimensions that stay open in an exported graph. The graph is made for several sizes: where all are the same but for numbers
 * that follow from the sizes, these are computed from the shapes of the inputs, and the graph holds for every size.
 */
import { CompileError } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import type { Dims } from "../../../ir/program.ts";
import { sameShape } from "../../../ir/type.ts";
import type { OnnxDim, OnnxNode } from "../../formats/onnx/model.ts";
import { type Draft, type DraftValue, namesIn } from "./draft.ts";
import { type Constant, type Emitted, type Emitter, newEmitter } from "./emitter.ts";
import { type Formula, formulaOf, isConstant, sizeNamed } from "./formula.ts";

export interface OpenDraft {
  readonly draft: Draft;
  /** Dimensions that may have any size. */
  readonly open: readonly string[];
  /** Those that keep the size of this compilation, and what depends on it. */
  readonly fixed: readonly { readonly name: string; readonly size: number; readonly reason: string }[];
}

/** `draftAt`: the graph with these sizes. `sizes`: the dimensions that may stay open, with the size that they have if they cannot. */
export function openDraft(draftAt: (sizes: Dims) => Draft, sizes: Dims): OpenDraft {
  const open: string[] = [];
  const fixed: { name: string; size: number; reason: string }[] = [];
  let draft = draftAt(sizes);
  for (const [name, size] of Object.entries(sizes)) {
    const found = generalised(draftAt, sizes, [...open, name]);
    if (typeof found === "string") fixed.push({ name, size, reason: found });
    else {
      draft = found;
      open.push(name);
    }
  }
  return { draft, open, fixed };
}

interface Sample {
  readonly sizes: Dims;
  readonly draft: Draft;
}
/** The graph for every size of the dimensions `open`; a text: what depends on a size. */
function generalised(draftAt: (sizes: Dims) => Draft, sizes: Dims, open: readonly string[]): Draft | string {
  const samples: Sample[] = [];
  for (const at of samplePoints(sizes, open)) {
    const draft = attempt(draftAt, at);
    if (typeof draft === "string") return draft;
    samples.push({ sizes: at, draft });
    const difference = differenceOf(samples[0]!.draft, draft);
    if (difference !== null) return difference;
  }
  return generalise(samples, open);
}
function attempt(draftAt: (sizes: Dims) => Draft, at: Dims): Draft | string {
  try {
    return draftAt(at);
  } catch (error) {
    if (error instanceof CompileError) return `other sizes are refused: ${error.diagnostics[0]!.message}`;
    throw error;
  }
}

/**
 * Sizes at which the graph is looked at: of each dimension alone two near ones, which tell even from odd, and one about half or
 * twice as large, which tells what rounding hides; all together; and 1, which broadcasts.
 */
function samplePoints(sizes: Dims, open: readonly string[]): readonly Dims[] {
  const base = { ...sizes, ...Object.fromEntries(open.map((name) => [name, Math.max(2, sizes[name]!)])) };
  const others = new Map(open.map((name) => [name, otherSizes(base[name]!)]));
  const alone = open.flatMap((name) => others.get(name)!.map((size) => ({ ...base, [name]: size })));
  const together = { ...base, ...Object.fromEntries(open.map((name, i) => [name, others.get(name)![i % 2]!])) };
  const ones = open.filter((name) => sizes[name] === 1).map((name) => ({ ...base, [name]: 1 }));
  return [base, ...alone, ...(open.length > 1 ? [together] : []), ...ones];
}
/** Smaller ones where there are enough: a model may have a largest size, and large ones cost. */
const otherSizes = (size: number): readonly number[] =>
  size >= 16 ? [size - 1, size - 3, (size >> 1) - 1] : [size + 1, size + 3, 2 * size + 3];

/** What two graphs differ in beside constants and shapes of the signature; null: nothing. */
function differenceOf(a: Draft, b: Draft): string | null {
  const parameter = a.variables.find((v, i) => !sameVariable(v, b.variables[i]));
  if (parameter) return `the shape of \`${parameter.attrs.name}\` depends on it`;
  const at = a.nodes.findIndex((n, i) => !b.nodes[i] || !sameNode(n, b.nodes[i]));
  const different = a.nodes[at] ?? b.nodes[a.nodes.length];
  return different ? dependsOnSize(different) : null;
}
const sameNumbers = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((v, i) => Object.is(v, b[i]));
const sameVariable = (a: Node, b: Node | undefined): boolean =>
  a.attrs.name === b?.attrs.name && sameShape(a.type.shape, b?.type.shape ?? []);
const sameNode = (a: OnnxNode, b: OnnxNode): boolean => JSON.stringify(a) === JSON.stringify(b);
const dependsOnSize = ({ name, opType }: OnnxNode): string =>
  name === opType ? `an operator ${opType} depends on it` : `the operator \`${name}\` depends on it`;

/* ---- constants that follow from sizes ---------------------------------------------------------------------------- */

function generalise(samples: readonly Sample[], open: readonly string[]): Draft | string {
  const { draft } = samples[0]!;
  const sizes = samples.map((s) => s.sizes);
  const sources = new Map(open.map((name) => [name, sourceOf(name, samples)]));
  const closed = open.find((name) => sources.get(name) === null);
  if (closed !== undefined) return "no input has an axis of this size";
  const writer = newWriter(draft, sources as ReadonlyMap<string, Source>);
  const renamed = new Map<string, string>();
  for (const [i, constant] of draft.constants.entries()) {
    const all = samples.map((s) => s.draft.constants[i]!);
    if (all.every((c) => sameShape(c.dims, constant.dims) && sameNumbers(c.values, constant.values))) continue;
    const name = writtenConstant(all, sizes, draft, writer);
    if (name === null) return dependsOnSize(draft.nodes.find((n) => n.inputs.includes(constant.name))!);
    renamed.set(constant.name, name);
  }
  const nodes = draft.nodes.map((n) => ({ ...n, inputs: n.inputs.map((name) => renamed.get(name) ?? name) }));
  return {
    ...draft,
    nodes: [...writer.emitted.nodes, ...nodes],
    constants: [...draft.constants, ...writer.emitted.constants],
    inputs: draft.inputs.map((_, i) =>
      openValue(
        samples.map((s) => s.draft.inputs[i]!),
        sizes,
      ),
    ),
    outputs: draft.outputs.map((_, i) =>
      openValue(
        samples.map((s) => s.draft.outputs[i]!),
        sizes,
      ),
    ),
  };
}
/** With names for extents that are sizes, null for those that otherwise depend on them. */
function openValue(values: readonly DraftValue[], sizes: readonly Dims[]): DraftValue {
  const shape = values[0]!.shape.map((_, axis): OnnxDim => {
    const extents = values.map((v) => Number(v.shape[axis]));
    const formula = formulaOf(extents, sizes);
    if (formula && isConstant(formula)) return formula.offset;
    return formula && sizeNamed(formula);
  });
  return { ...values[0]!, shape };
}

/** An axis of an input whose extent is a size. */
interface Source {
  readonly input: string;
  readonly axis: number;
}
function sourceOf(name: string, samples: readonly Sample[]): Source | null {
  for (const [i, { name: input, shape }] of samples[0]!.draft.inputs.entries())
    for (const axis of shape.keys()) if (samples.every((s) => s.draft.inputs[i]!.shape[axis] === s.sizes[name])) return { input, axis };
  return null;
}

/** Emits the sizes in front of everything else. */
interface Writer {
  readonly emitted: Emitter & Emitted;
  /** A formula as an int64 of shape [1]. */
  readonly number: (f: Formula) => string;
}
function newWriter(draft: Draft, sources: ReadonlyMap<string, Source>): Writer {
  let path = "";
  const e = newEmitter(
    namesIn(draft),
    (node) => String(node.attrs.name),
    () => path,
    draft.constants.length,
  );
  const known = new Map<string, string>();
  const once = (key: string, make: () => string): string => {
    const name = known.get(key) ?? make();
    known.set(key, name);
    return name;
  };
  const size = (name: string): string => {
    const { input, axis } = sources.get(name)!;
    path = name;
    const shape = e.add("Shape", [input], { start: axis, end: axis + 1 });
    path = "";
    return shape;
  };
  const number = ({ scale, sizes, offset }: Formula): string => {
    if (sizes.length === 0) return e.ints([offset]);
    const product = sizes.map((name) => once(name, () => size(name))).reduce((a, b) => once(`${a} ${b}`, () => e.add("Mul", [a, b])));
    const scaled = scale === 1 ? product : once(`${scale} * ${product}`, () => e.add("Mul", [product, e.ints([scale])]));
    return offset === 0 ? scaled : once(`${scaled} + ${offset}`, () => e.add("Add", [scaled, e.ints([offset])]));
  };
  return { emitted: e, number };
}

/** Name of a constant that is computed; null: its numbers follow no formula. */
function writtenConstant(samples: readonly Constant[], sizes: readonly Dims[], draft: Draft, writer: Writer): string | null {
  const [first] = samples as [Constant];
  if (samples.some((c) => c.dims.length !== first.dims.length)) return null;
  if (samples.some((c) => !sameShape(c.dims, first.dims))) return writtenRange(samples, sizes, writer);
  const formulas = first.values.map((_, i) =>
    formulaOf(
      samples.map((c) => c.values[i]!),
      sizes,
    ),
  );
  if (!formulas.every((f) => f !== null)) return null;
  return typed(isTarget(first, draft) ? target(formulas, writer) : vector(formulas, writer), first, writer);
}
/** Whether it is only the shape of a Reshape, where an extent may be left to what remains. */
const isTarget = ({ name }: Constant, { nodes }: Draft): boolean =>
  nodes.every((n) => n.inputs.every((input, i) => input !== name || (n.opType === "Reshape" && i === 1)));
const target = (formulas: readonly Formula[], writer: Writer): string =>
  formulas.filter((f) => !isConstant(f)).length === 1
    ? writer.emitted.ints(formulas.map((f) => (isConstant(f) ? f.offset : -1)))
    : vector(formulas, writer);
function vector(formulas: readonly Formula[], { emitted: e, number }: Writer): string {
  const pieces: string[] = [];
  let known: number[] = [];
  for (const f of formulas) {
    if (isConstant(f)) known.push(f.offset);
    else {
      pieces.push(...(known.length > 0 ? [e.ints(known)] : []), number(f));
      known = [];
    }
  }
  if (known.length > 0) pieces.push(e.ints(known));
  return pieces.length === 1 ? pieces[0]! : e.add("Concat", pieces, { axis: 0 });
}
const typeCodes = { float: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
/** From int64 [n] to the constant's type, and to no axis where it has none. */
function typed(name: string, { dtype, dims }: Constant, { emitted: e }: Writer): string {
  const scalar = dims.length === 0 ? e.add("Squeeze", [name]) : name;
  return dtype === "int64" ? scalar : e.add("Cast", [scalar], { to: typeCodes[dtype] });
}
/** Numbers a step apart, along axes of which the extents follow from sizes. */
function writtenRange(samples: readonly Constant[], sizes: readonly Dims[], writer: Writer): string | null {
  const { emitted: e } = writer;
  const [start, next] = samples.find((c) => c.values.length > 1)?.values ?? [];
  const counts = formulaOf(
    samples.map((c) => c.values.length),
    sizes,
  );
  const extents = samples[0]!.dims.map((_, a) =>
    formulaOf(
      samples.map((c) => c.dims[a]!),
      sizes,
    ),
  );
  if (start === undefined || next === undefined || !counts || !extents.every((f) => f !== null)) return null;
  const step = next - start;
  if (!Number.isInteger(start) || !Number.isInteger(step) || step === 0) return null;
  if (!samples.every((c) => c.values.every((v, i) => v === start + i * step))) return null;
  const limit = { ...counts, scale: counts.scale * step, offset: counts.offset * step + start };
  const [from, by] = [start, step].map((v) => e.constant("int64", [], [v])) as [string, string];
  const row = e.add("Range", [from, e.add("Squeeze", [writer.number(limit)]), by]);
  const shaped = extents.length === 1 ? row : e.add("Reshape", [row, target(extents, writer)]);
  return typed(shaped, { ...samples[0]!, dims: [1] }, writer);
}
