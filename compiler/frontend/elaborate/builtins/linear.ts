/** Products of tensors. */
import type { Node } from "../../../../ir/graph/graph.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { type Builtin, type BuiltinCall, operation, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { matmul } from "../linear.ts";
import { tensorValue } from "../tensors.ts";
import { describe, showType } from "../values.ts";

/** A tensor whose axes are named by letters. */
interface Labelled {
  readonly x: Node;
  readonly axes: string;
}

/** einsum("nd,nkd->nk", a, b): letters of the operands that the result lacks are summed. */
const einsum: Builtin = {
  name: "einsum",
  doc:
    'Sums of products by named axes: einsum("nd,nkd->nk", a, b). Letters that the result lacks are summed; none stands ' +
    "twice in one operand.",
  signature: "einsum(spec, ...operands)",
  initializer: false,
  call: (args, c) => {
    const [spec, ...operands] = args.map((a) => a.value);
    if (spec?.kind !== "string")
      return complain(c.frame, "type", `einsum expects a string first${spec ? `, got ${describe(spec)}` : ""}`, c.span);
    const nodes = operands.map((v) =>
      v.kind === "tensor" ? v.node : complain(c.frame, "type", `einsum expects tensors, got ${describe(v)}`, c.span),
    );
    const { inputs, output } = parseSpec(spec.value, nodes, c);
    return tensorValue(c.frame, c.span, () => {
      const terms = inputs.map((axes, i): Labelled => ({ x: nodes[i]!, axes }));
      const wanted = (i: number) => output + inputs.slice(i + 1).join("");
      const joined = terms.slice(1).reduce((a, b, i) => product(a, b, wanted(i + 1)), terms[0]!);
      return arranged(summed(joined, output), output);
    });
  },
};
function parseSpec(spec: string, nodes: readonly Node[], c: BuiltinCall): { readonly inputs: readonly string[]; readonly output: string } {
  const wrong = (message: string): never =>
    complain(c.frame, "shape", `einsum("${spec}"): ${message}`, c.span, { help: 'letters name axes: einsum("nd,nkd->nk", a, b)' });
  const parts = /^([a-zA-Z,]*)->([a-zA-Z]*)$/.exec(spec.replace(/\s/g, ""));
  if (!parts) return wrong("letters, commas and `->` are expected");
  const inputs = parts[1]!.split(",");
  const output = parts[2]!;
  if (inputs.length !== nodes.length || nodes.length === 0) return wrong(`it names ${inputs.length} operands, got ${nodes.length}`);
  const extents = new Map<string, number>();
  inputs.forEach((axes, i) => {
    const { type } = nodes[i]!;
    if (axes.length !== type.shape.length) wrong(`"${axes}" names ${axes.length} axes, operand ${i + 1} is ${showType(type)}`);
    if (new Set(axes).size !== axes.length) wrong(`a letter stands twice in "${axes}"`);
    [...axes].forEach((letter, a) => {
      const before = extents.get(letter) ?? type.shape[a]!;
      if (before !== type.shape[a]) wrong(`axis ${letter} is ${before} and ${type.shape[a]}`);
      extents.set(letter, before);
    });
  });
  if (new Set(output).size !== output.length) wrong(`a letter stands twice in "${output}"`);
  const odd = [...output].find((letter) => !extents.has(letter));
  if (odd) wrong(`no operand has the axis ${odd}`);
  return { inputs, output };
}

/** Sums the axes that are not wanted. */
function summed({ x, axes }: Labelled, wanted: string): Labelled {
  const gone = [...axes].flatMap((letter, a) => (wanted.includes(letter) ? [] : [a]));
  return gone.length
    ? { x: ops.reduceSum({ x }, { axes: gone }), axes: [...axes].filter((l) => wanted.includes(l)).join("") }
    : { x, axes };
}
function arranged({ x, axes }: Labelled, order: string): Node {
  const permutation = [...order].map((letter) => axes.indexOf(letter));
  return permutation.every((a, i) => a === i) ? x : ops.permute({ x }, { axes: permutation });
}
/** The product of two operands, summed over letters that neither the result nor a later operand has: one matrix product. */
function product(left: Labelled, right: Labelled, wanted: string): Labelled {
  const a = summed(left, wanted + right.axes);
  const b = summed(right, wanted + left.axes);
  const shared = [...a.axes].filter((l) => b.axes.includes(l));
  const batch = shared.filter((l) => wanted.includes(l)).join("");
  const inner = shared.filter((l) => !wanted.includes(l)).join("");
  const rows = [...a.axes].filter((l) => !shared.includes(l)).join("");
  const columns = [...b.axes].filter((l) => !shared.includes(l)).join("");
  const extent = (l: string) => (a.axes.includes(l) ? a.x.type.shape[a.axes.indexOf(l)]! : b.x.type.shape[b.axes.indexOf(l)]!);
  const extents = (letters: string) => [...letters].map(extent);
  const grouped = (t: Labelled, order: readonly string[]): Node =>
    ops.reshape({ x: arranged(t, order.join("")) }, { shape: order.map((g) => sizeOf(extents(g))) });
  const y = ops.matmul({ a: grouped(a, [batch, rows, inner]), b: grouped(b, [batch, inner, columns]) });
  const axes = batch + rows + columns;
  return { x: ops.reshape({ x: y }, { shape: extents(axes) }), axes };
}

export const linearFunctions: readonly Builtin[] = [
  operation(
    "matmul",
    "The product `a @ b`: f32[..., I, K] by f32[..., K, J] to f32[..., I, J]; leading axes broadcast, vectors as in NumPy.",
    { a: tensorArg, b: tensorArg },
    ({ a, b }) => matmul(a, b),
  ),
  einsum,
];
