/** A group as index notation, its key, and which operands its result may overwrite. */
import type { Node } from "../../ir/graph/graph.ts";
import { bufferOf, i32 } from "../../ir/kernel/build.ts";
import type { Axes, Blockwise, Body, Computation, StageRead } from "../../ir/kernel/computation.ts";
import type { Buffer, Expr } from "../../ir/kernel/kernel.ts";
import { sameLayout } from "../../ir/layout.ts";
import { printType, sameType, sizeOf } from "../../ir/type.ts";
import { evaluate, evaluateInFold, type Scope } from "./evaluate.ts";
import { type Group, ownCost } from "./group.ts";
import { foldOf } from "./rule.ts";

/** Nodes that the group computes, operands first. */
export function innerNodes(g: Pick<Group, "root" | "inputs">): Node[] {
  const outside = new Set(g.inputs);
  const seen = new Set<Node>();
  const order: Node[] = [];
  const visit = (n: Node): void => {
    if (seen.has(n) || outside.has(n)) return;
    seen.add(n);
    for (const x of n.inputs) visit(x);
    order.push(n);
  };
  visit(g.root);
  return order;
}

const longestName = 40;
/** `conv2d_add_relu`: what computes or leaves something out, if anything does. */
export function nameOfGroup(inner: readonly Node[]): string {
  const loud = inner.filter((n) => ownCost(n) > 0 || n.inputs.some((x) => sizeOf(x.type.shape) > sizeOf(n.type.shape)));
  const words = (loud.length > 0 ? loud : inner).map((n) => n.op.schema.name);
  let name = words[0]!;
  for (const w of words.slice(1)) {
    if (name.length + w.length + 1 > longestName) return `${name}_etc`;
    name += `_${w}`;
  }
  return name;
}

/** Equal for groups that compute the same on operands of the same types. `marked`: further nodes that tell groups apart. */
export function keyOfGroup(g: Pick<Group, "root" | "inputs">, marked: readonly (Node | null)[]): string {
  const ids = new Map<Node, string>(g.inputs.map((n, i) => [n, `x${i}`]));
  const lines = g.inputs.map((n) => printType(n.type));
  innerNodes(g).forEach((n, i) => {
    ids.set(n, `${i}`);
    lines.push(`${n.op.schema.name}(${n.inputs.map((x) => ids.get(x)).join()})${JSON.stringify(n.attrs)}:${printType(n.type)}`);
  });
  return `${lines.join("\n")}\n${marked.map((n) => (n ? ids.get(n) : "")).join()}`;
}

export function computationOf(g: Group): Computation {
  const inputs = inputBuffers(g.inputs);
  const output = bufferOf("y", "out", g.root.type);
  return { ...titleOf(g), inputs: [...inputs.values()], output, ...bodyOf(g, inputs, new Map()) };
}
/** A name, and the name with the types of operands and result. */
export function titleOf(g: Pick<Group, "root" | "inputs">): Pick<Computation, "name" | "about"> {
  const name = nameOfGroup(innerNodes(g));
  return { name, about: `${name}(${g.inputs.map((n) => printType(n.type)).join(", ")}) : ${printType(g.root.type)}` };
}
export const inputBuffers = (inputs: readonly Node[]): ReadonlyMap<Node, Buffer> =>
  new Map(inputs.map((n, i) => [n, bufferOf(`x${i}`, "in", n.type)]));

/** What a group computes from memory and from what `stages` of its kernel have left. */
export function bodyOf(g: Group, buffers: ReadonlyMap<Node, Buffer>, stages: ReadonlyMap<Node, StageRead>): Body {
  const uses = usesIn(innerNodes(g));
  const scope = (axes: Axes, folded: Scope["folded"]): Scope => ({ buffers, stages, uses, axes, folded });
  const { fold } = g;
  return {
    fold: fold && {
      op: foldOf(fold).op,
      axes: foldOf(fold).axes,
      term: (index, axes) => {
        for (const a of foldOf(fold).axes) axes.declare(a);
        return evaluateInFold(fold, index, scope(axes, null), (f) => f.body);
      },
      blocks: blocksOf(fold, (axes) => scope(axes, null)),
    },
    finish: (index, folded: Expr | null, axes) =>
      evaluate(g.root, index, scope(axes, fold && folded ? { node: fold, value: folded } : null)),
  };
}
/** What blocks read, as written out in the group. */
function blocksOf(fold: Node, scope: (axes: Axes) => Scope): Blockwise | null {
  const { blocks } = foldOf(fold);
  const anywhere = fold.type.shape.map(() => i32(0));
  const reads = blocks?.reads.map(
    (_, i) => (index: readonly Expr[], axes: Axes) => evaluateInFold(fold, anywhere, scope(axes), (f) => f.blocks!.reads[i]!(...index)),
  );
  return blocks && reads ? { ...blocks, reads } : null;
}
function usesIn(inner: readonly Node[]): Map<Node, number> {
  const uses = new Map<Node, number>();
  for (const n of inner) for (const x of n.inputs) uses.set(x, (uses.get(x) ?? 0) + 1);
  return uses;
}
/** Operands read at the very element that is written, by elementwise nodes alone. */
export function inPlaceInputs(g: Group): Node[] {
  const at = new Set<Node>();
  const elsewhere = new Set<Node>();
  const inputs = new Set(g.inputs);
  const { layout } = g.root.type;
  if (layout?.within || layout?.pad.some(([b, a]) => b > 0 || a > 0)) return [];
  const fits = (n: Node) => sameType(n.type, g.root.type) && sameLayout(n.type.layout, g.root.type.layout);
  const seen = { true: new Set<Node>(), false: new Set<Node>() };
  const visit = (n: Node, same: boolean): void => {
    if (seen[`${same}`].has(n)) return;
    seen[`${same}`].add(n);
    if (inputs.has(n)) {
      (same && fits(n) ? at : elsewhere).add(n);
      return;
    }
    const goesOn = same && n.op.schema.kind === "elementwise";
    for (const x of n.inputs) visit(x, goesOn && x.type.shape.join() === g.root.type.shape.join());
  };
  visit(g.root, true);
  return g.inputs.filter((n) => at.has(n) && !elsewhere.has(n));
}
