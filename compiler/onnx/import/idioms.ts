/**
 * What exporters take apart, put together again: on nodes, before any of them is translated.
 *
 *     Div(x, 1.414) -> Erf -> Add(1) -> Mul(x) -> Mul(0.5)                              Gelu(x)
 *     ReduceMean -> Sub -> Pow(2) -> ReduceMean -> Add(eps) -> Sqrt -> Div -> Mul -> Add     LayerNormalization
 *     MatMul(x, weight) -> Add(bias)                                                    Linear
 *     Reshape -> InstanceNormalization -> Reshape -> Mul -> Add                         GroupNorm
 *
 * A node goes where nothing else reads its result. The last two are no operators of ONNX: shapes decide whether a layer does
 * the same, which are not known here, so their rules compute what the nodes said otherwise.
 */

import { countOf } from "../../formats/onnx/element-type.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from "../../formats/onnx/model.ts";
import { elementsOf } from "../../formats/onnx/tensor.ts";
import { readersOf, type Task } from "./flatten.ts";

/** The operator set whose operators the recovered nodes are. */
const standard: ReadonlyMap<string, number> = new Map([["", 24]]);
/** The domain of those that ONNX lacks. */
export const ownDomain = "dlm";

interface View {
  /** The node that makes a value, if only `reader` reads it; null: an input, a constant, or read elsewhere too. */
  readonly maker: (name: string, readers?: number) => OnnxNode | null;
  /** A number that takes part in arithmetic without adding axes. */
  readonly scalar: (name: string) => number | null;
  readonly numbers: (name: string) => readonly number[] | null;
  /** Whether a value follows from tables of the file alone. */
  readonly isConstant: (name: string) => boolean;
}
interface Recovered {
  readonly node: OnnxNode;
  /** Nodes that are not needed any more. */
  readonly gone: readonly OnnxNode[];
}
type Idiom = (node: OnnxNode, view: View) => Recovered | null;

export function recoverIdioms(tasks: readonly Task[], graph: OnnxGraph): readonly Task[] {
  const view = viewOf(tasks, graph);
  const gone = new Set<OnnxNode>();
  const made = new Map<OnnxNode, OnnxNode>();
  // from the end: the longest match is the one that ends last
  for (const { node } of tasks.toReversed()) {
    if (node.domain !== "" || gone.has(node)) continue;
    const found = idioms.map((idiom) => idiom(node, view)).find((r) => r !== null);
    if (!found) continue;
    made.set(node, found.node);
    for (const n of found.gone) gone.add(n);
  }
  return tasks.flatMap((task) => {
    const node = made.get(task.node);
    if (node) return [{ node, opsets: node.domain === ownDomain ? task.opsets : standard }];
    return gone.has(task.node) ? [] : [task];
  });
}

function viewOf(tasks: readonly Task[], graph: OnnxGraph): View {
  const makers = new Map(tasks.flatMap(({ node }) => node.outputs.map((name) => [name, node] as const)));
  const readers = readersOf(tasks);
  const results = new Set(graph.outputs.map((o) => o.name));
  const tables = new Map<string, OnnxTensor>(graph.initializers.map((t) => [t.name, t]));
  for (const { node } of tasks) {
    const value = node.opType === "Constant" ? node.attributes.find((a) => a.name === "value") : undefined;
    if (value?.kind === "tensor") tables.set(node.outputs[0]!, value.value);
  }
  const constant = constantNames(tasks, graph);
  const numbers = (name: string): readonly number[] | null => {
    const t = tables.get(name);
    const few = t && countOf(t.dims) <= mostNumbers && t.data.kind === "bytes" && t.dtype !== "string";
    return few ? Array.from(elementsOf(t, name, null) as ArrayLike<number | bigint>, Number) : null;
  };
  return {
    maker: (name, count = 1) => {
      const node = makers.get(name);
      return node && node.domain === "" && !results.has(name) && readers.get(name)?.length === count ? node : null;
    },
    numbers,
    scalar: (name) => {
      const dims = tables.get(name)?.dims ?? [];
      return dims.length < 2 && countOf(dims) === 1 ? (numbers(name)?.[0] ?? null) : null;
    },
    isConstant: (name) => constant.has(name),
  };
}
/** Of tables whose numbers decide whether something is an idiom. */
const mostNumbers = 4096;
/** Initializers, constants, and what these are rearranged to. */
function constantNames(tasks: readonly Task[], graph: OnnxGraph): ReadonlySet<string> {
  const constant = new Set(graph.initializers.map((t) => t.name));
  for (const { node } of tasks) {
    const made =
      node.opType === "Constant" || (rearranging.has(node.opType) && node.inputs.every((name) => name === "" || constant.has(name)));
    if (made && node.domain === "") for (const name of node.outputs) constant.add(name);
  }
  return constant;
}
const rearranging: ReadonlySet<string> = new Set(["Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Flatten"]);

/** Operands broadcast as NumPy's do: before version 7 attributes said how. */
const isPlain = (node: OnnxNode | null): boolean => node?.attributes.length === 0;
const near = (a: number | null, b: number): boolean => a !== null && Math.abs(a - b) <= 1e-4 * Math.abs(b);
const attribute = (node: OnnxNode, name: string): OnnxAttribute | undefined => node.attributes.find((a) => a.name === name);
/** In the place of `at`, under its name without the operator. */
const recovered = (at: OnnxNode, opType: string, inputs: readonly string[], attributes: readonly OnnxAttribute[] = []): OnnxNode => ({
  ...at,
  name: at.name.replace(new RegExp(`(^|/)${at.opType}(_\\d+)?$`), `$1${opType}`),
  opType,
  inputs,
  attributes,
});

/* ---- products ---------------------------------------------------------------------------------------------------- */

interface Product {
  readonly factors: readonly string[];
  readonly scale: number;
  /** The nodes of the product below its last one. */
  readonly nodes: readonly OnnxNode[];
}
/** No idiom has longer products. */
const deepest = 4;
/** Factors of a tree of multiplications, and of divisions by numbers. */
function productOf(node: OnnxNode, view: View, depth = deepest): Product | null {
  const [a, b] = node.inputs;
  if (a === undefined || b === undefined || (node.opType !== "Mul" && node.opType !== "Div") || !isPlain(node)) return null;
  const divisor = node.opType === "Div" ? view.scalar(b) : null;
  if (node.opType === "Div" && (divisor === null || divisor === 0)) return null;
  const sides = (divisor === null ? [a, b] : [a]).map((name) => factorOf(name, view, depth - 1));
  return {
    factors: sides.flatMap((s) => s.factors),
    scale: sides.reduce((n, s) => n * s.scale, 1 / (divisor ?? 1)),
    nodes: sides.flatMap((s) => s.nodes),
  };
}
function factorOf(name: string, view: View, depth = deepest): Product {
  const number = view.scalar(name);
  if (number !== null) return { factors: [], scale: number, nodes: [] };
  const maker = view.maker(name);
  const inner = maker && (depth > 0 ? productOf(maker, view, depth) : null);
  return maker && inner ? { ...inner, nodes: [...inner.nodes, maker] } : { factors: [name], scale: 1, nodes: [] };
}
/** The operand of an addition beside a number. */
function plusNumber(node: OnnxNode | null, number: number, view: View): string | null {
  if (node?.opType !== "Add" || !isPlain(node)) return null;
  const [a, b] = node.inputs as [string, string];
  if (near(view.scalar(b), number)) return a;
  return near(view.scalar(a), number) ? b : null;
}
/** Two factors, one of them computed by what `f` recognises. */
function pairOf<T>({ factors }: Product, f: (name: string) => T | null): { readonly other: string; readonly found: T } | null {
  if (factors.length !== 2) return null;
  for (const [i, name] of factors.entries()) {
    const found = f(name);
    if (found !== null) return { other: factors[1 - i]!, found };
  }
  return null;
}

/** x * sigmoid(x) */
const silu: Idiom = (node, view) => {
  const product = productOf(node, view);
  if (product?.scale !== 1) return null;
  const pair = pairOf(product, (name) => {
    const maker = view.maker(name);
    return maker?.opType === "Sigmoid" ? maker : null;
  });
  if (!pair || pair.found.inputs[0] !== pair.other) return null;
  return { node: recovered(node, "Swish", [pair.other]), gone: [...product.nodes, pair.found] };
};

/** x * 0.5 * (1 + erf(x / sqrt(2))), or the same by tanh. */
const gelu: Idiom = (node, view) => {
  const product = productOf(node, view);
  if (!product || !near(product.scale, 0.5)) return null;
  const pair = pairOf(product, (name) => {
    const sum = view.maker(name);
    const inner = plusNumber(sum, 1, view);
    const f = inner === null ? null : view.maker(inner);
    return sum && f && (f.opType === "Erf" || f.opType === "Tanh") ? { sum, f } : null;
  });
  if (!pair) return null;
  const { sum, f } = pair.found;
  const argument = f.opType === "Erf" ? erfArgument(f, pair.other, view) : tanhArgument(f, pair.other, view);
  if (!argument) return null;
  const approximate: readonly OnnxAttribute[] = f.opType === "Erf" ? [] : [{ name: "approximate", kind: "string", value: "tanh" }];
  return { node: recovered(node, "Gelu", [pair.other], approximate), gone: [...product.nodes, sum, f, ...argument] };
};
/** The nodes of x / sqrt(2); null: it is something else. */
function erfArgument(f: OnnxNode, x: string, view: View): readonly OnnxNode[] | null {
  const maker = view.maker(f.inputs[0]!);
  const product = maker && productOf(maker, view);
  const fits = product && near(product.scale, Math.SQRT1_2) && product.factors.length === 1 && product.factors[0] === x;
  return fits ? [...product.nodes, maker] : null;
}
/** The nodes of sqrt(2 / pi) * (x + 0.044715 * x ** 3). */
function tanhArgument(f: OnnxNode, x: string, view: View): readonly OnnxNode[] | null {
  const maker = view.maker(f.inputs[0]!);
  const product = maker && productOf(maker, view);
  if (!product || !near(product.scale, Math.sqrt(2 / Math.PI)) || product.factors.length !== 1) return null;
  const sum = view.maker(product.factors[0]!);
  if (sum?.opType !== "Add" || !sum.inputs.includes(x)) return null;
  const cubic = sum.inputs[0] === x ? sum.inputs[1]! : sum.inputs[0]!;
  const term = factorOf(cubic, view);
  const power = term.factors.length === 1 ? view.maker(term.factors[0]!) : null;
  const cubes = term.factors.length === 3 && term.factors.every((t) => t === x);
  const isPower = power?.opType === "Pow" && power.inputs[0] === x && view.scalar(power.inputs[1]!) === 3;
  if (!near(term.scale, 0.044715) || !(cubes || isPower)) return null;
  return [...product.nodes, maker, sum, ...term.nodes, ...(isPower ? [power] : [])];
}

/** x * min(max(x + 3, 0), 6) / 6, and the same without x. */
const hardSwish: Idiom = (node, view) => {
  const product = productOf(node, view);
  if (!product || !near(product.scale, 1 / 6)) return null;
  const clipped = (name: string) => {
    const clip = view.maker(name);
    const bounds = clip?.opType === "Clip" ? clipBounds(clip, view) : null;
    const sum = bounds && bounds[0] === 0 && bounds[1] === 6 ? view.maker(clip!.inputs[0]!) : null;
    const x = plusNumber(sum, 3, view);
    return clip && sum && x !== null ? { x, gone: [clip, sum] } : null;
  };
  const alone = product.factors.length === 1 ? clipped(product.factors[0]!) : null;
  if (alone) {
    const attributes: readonly OnnxAttribute[] = [{ name: "alpha", kind: "float", value: Math.fround(1 / 6) }];
    return { node: recovered(node, "HardSigmoid", [alone.x], attributes), gone: [...product.nodes, ...alone.gone] };
  }
  const pair = pairOf(product, clipped);
  if (!pair || pair.found.x !== pair.other) return null;
  return { node: recovered(node, "HardSwish", [pair.other]), gone: [...product.nodes, ...pair.found.gone] };
};
function clipBounds(clip: OnnxNode, view: View): readonly [number | null, number | null] {
  const bound = (i: number, name: string): number | null => {
    const a = attribute(clip, name);
    return a?.kind === "float" ? a.value : view.scalar(clip.inputs[i] ?? "");
  };
  return [bound(1, "min"), bound(2, "max")];
}

/* ---- layer normalisation ----------------------------------------------------------------------------------------- */

/** The axes of a mean that keeps them, where they are the last ones: as the first of them, counted from the end. */
function lastAxes(mean: OnnxNode | null, view: View): number | null {
  if (mean?.opType !== "ReduceMean") return null;
  const keep = attribute(mean, "keepdims");
  if (keep?.kind === "int" && keep.value === 0) return null;
  const own = attribute(mean, "axes");
  const axes = own?.kind === "ints" ? own.value : view.numbers(mean.inputs[1] ?? "");
  const sorted = axes?.toSorted((a, b) => a - b);
  return sorted?.length && sorted.every((a, i) => a === i - sorted.length) ? sorted[0]! : null;
}
/** x - mean(x), read as often as `readers` says. */
function centred(name: string, readers: number, view: View) {
  const sub = view.maker(name, readers);
  if (sub?.opType !== "Sub") return null;
  const [x, m] = sub.inputs as [string, string];
  const mean = view.maker(m, 1) ?? view.maker(m, 2);
  const axis = lastAxes(mean, view);
  return mean && axis !== null && mean.inputs[0] === x ? { x, sub, mean, axis } : null;
}

/** (x - mean) / sqrt(mean((x - mean) ** 2) + eps), and the scale and bias that follow. */
const layerNorm: Idiom = (node, view) => withBias(node, view) ?? withScale(node, view) ?? standardized(node, view);

function standardized(node: OnnxNode, view: View): Recovered | null {
  if (node.opType !== "Div" || !isPlain(node)) return null;
  const root = view.maker(node.inputs[1]!);
  const sum = root?.opType === "Sqrt" ? view.maker(root.inputs[0]!) : null;
  if (sum?.opType !== "Add") return null;
  const [v, e] = view.scalar(sum.inputs[1]!) === null ? [sum.inputs[1]!, sum.inputs[0]!] : [sum.inputs[0]!, sum.inputs[1]!];
  const eps = view.scalar(e);
  const variance = view.maker(v);
  const axis = lastAxes(variance, view);
  const square = variance && view.maker(variance.inputs[0]!);
  if (eps === null || axis === null || !variance || !square) return null;
  const squared =
    square.opType === "Pow" ? view.scalar(square.inputs[1]!) === 2 : square.opType === "Mul" && square.inputs[0] === square.inputs[1];
  if (!squared) return null;
  const [above, inside] = [node.inputs[0]!, square.inputs[0]!];
  const inner = square.opType === "Pow" ? 1 : 2;
  const same = above === inside;
  const [top, bottom] = [centred(above, same ? 1 + inner : 1, view), centred(inside, same ? 1 + inner : inner, view)];
  if (!top || !bottom || top.x !== bottom.x || top.axis !== axis || bottom.axis !== axis) return null;
  const attributes: readonly OnnxAttribute[] = [
    { name: "axis", kind: "int", value: axis },
    { name: "epsilon", kind: "float", value: eps },
  ];
  const gone = new Set([root!, sum, variance, square, top.sub, top.mean, bottom.sub, bottom.mean]);
  return { node: recovered(node, "LayerNormalization", [top.x, "", ""], attributes), gone: [...gone] };
}
function withScale(node: OnnxNode, view: View): Recovered | null {
  return node.opType === "Mul" ? extended(node, view, standardized, 1) : null;
}
function withBias(node: OnnxNode, view: View): Recovered | null {
  return node.opType === "Add" ? extended(node, view, withScale, 2) : null;
}
/** A node that adds operand `place` to what `f` recognises. */
function extended(node: OnnxNode, view: View, f: (node: OnnxNode, view: View) => Recovered | null, place: number): Recovered | null {
  for (const [i, name] of isPlain(node) ? node.inputs.entries() : []) {
    const maker = view.maker(name);
    const inner = maker && f(maker, view);
    if (inner) {
      const inputs = inner.node.inputs.with(place, node.inputs[1 - i]!);
      return { node: recovered(node, "LayerNormalization", inputs, inner.node.attributes), gone: [...inner.gone, maker] };
    }
  }
  return null;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/** A node of our own, in the place of `at`, named after the node that it is about. */
const layered = (
  at: OnnxNode,
  about: OnnxNode,
  opType: string,
  inputs: readonly string[],
  attributes: readonly OnnxAttribute[],
): OnnxNode => ({
  ...at,
  name: about.name.replace(new RegExp(`(^|/)${about.opType}(_\\d+)?$`), `$1${opType}`),
  domain: ownDomain,
  opType,
  inputs,
  attributes,
});

/** x @ weight + bias, both of the file. */
const linear: Idiom = (node, view) => {
  if (node.opType !== "Add" || !isPlain(node)) return null;
  for (const [i, name] of node.inputs.entries()) {
    const product = view.maker(name);
    const bias = node.inputs[1 - i]!;
    if (product?.opType !== "MatMul" || !view.isConstant(bias) || !view.isConstant(product.inputs[1]!)) continue;
    return { node: layered(node, product, "Linear", [...product.inputs, bias], []), gone: [product] };
  }
  return null;
};

/** A product or sum, of two operands, with a table of the file. */
function withTable(
  node: OnnxNode | null,
  opType: string,
  view: View,
): { readonly node: OnnxNode; readonly other: string; readonly table: string } | null {
  if (node?.opType !== opType || !isPlain(node)) return null;
  const [a, b] = node.inputs as [string, string];
  if (view.isConstant(b)) return { node, other: a, table: b };
  return view.isConstant(a) ? { node, other: b, table: a } : null;
}
/** Group normalisation as PyTorch writes it before version 18: instances of [N, groups, -1], by ones and zeros. */
const groupNorm: Idiom = (node, view) => {
  const sum = withTable(node, "Add", view);
  const product = sum && withTable(view.maker(sum.other), "Mul", view);
  const back: OnnxNode | null = product ? view.maker(product.other) : node;
  const norm = back?.opType === "Reshape" ? view.maker(back.inputs[0]!) : null;
  const apart = norm?.opType === "InstanceNormalization" ? view.maker(norm.inputs[0]!) : null;
  if (!back || !norm || apart?.opType !== "Reshape" || !norm.inputs.slice(1).every((name, i) => everywhere(view.numbers(name), 1 - i)))
    return null;
  const inputs = [apart.inputs[0]!, apart.inputs[1] ?? "", back.inputs[1] ?? "", ...(product && sum ? [product.table, sum.table] : [])];
  const attributes = norm.attributes.filter((a) => a.name === "epsilon");
  const gone = [norm, apart, ...(product ? [product.node, back] : [])];
  const plain = [apart, back].every(
    ({ inputs: [, to], attributes: own }) => to !== undefined && own.every((a) => a.kind === "int" && a.value === 0),
  );
  return plain ? { node: layered(node, norm, "GroupNorm", inputs, attributes), gone } : null;
};
const everywhere = (all: readonly number[] | null, v: number): boolean => all?.every((e) => e === v) ?? false;

const idioms: readonly Idiom[] = [layerNorm, gelu, hardSwish, silu, groupNorm, linear];
