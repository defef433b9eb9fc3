/**
 * What a graph means: its lowering rules interpreted in double precision over row-major arrays, without loops, buffers or
 * layouts. Slow and simple: the oracle for everything that is fast.
 */
import { type Graph, type Node, reachable } from "../../../ir/graph/graph.ts";
import * as k from "../../../ir/kernel/build.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import type { Fold, FoldOp, Read } from "../../../ir/op.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import { compileTape, type Memory, type Tape } from "./tape.ts";

/** Row-major; integers and bools as numbers. */
export type Values = Float64Array;
export type Given = Readonly<Record<string, ArrayLike<number>>>;

/** Values of `roots`; `leaf` gives those of inputs and variables. */
export function evaluate(roots: readonly Node[], leaf: (node: Node) => ArrayLike<number>): Values[] {
  const values = new Map<Node, Values>();
  const compute = (targets: readonly Node[]): void => {
    for (const n of reachable(targets)) if (!values.has(n)) values.set(n, computeNode(n));
  };
  const computeNode = (n: Node): Values => {
    const { op } = n;
    if (op.schema.kind === "leaf" && op.schema.lasts === "always") return Float64Array.from(n.attrs.data as readonly number[]);
    if (op.schema.kind === "leaf") return checkedLeaf(n, leaf(n));
    if (op.decompose) {
      const said = op.decompose(n);
      compute([said]);
      return values.get(said)!;
    }
    return interpret(
      n,
      n.inputs.map((x) => values.get(x)!),
    );
  };
  compute(roots);
  return roots.map((n) => values.get(n)!);
}

/** Outputs and updated variables by name; inputs and variables are given by name. */
export function evaluateGraph(
  g: Graph,
  given: Given,
): { readonly outputs: Record<string, Values>; readonly updates: Record<string, Values> } {
  const values = evaluate([...g.outputs.map((o) => o.value), ...g.updates.map((u) => u.value)], (n) => {
    const name = String(n.attrs.name);
    const found = given[name];
    if (!found) throw new Error(`no values for ${n.op.schema.name} "${name}"`);
    return found;
  });
  return {
    outputs: Object.fromEntries(g.outputs.map((o, i) => [o.name, values[i]!])),
    updates: Object.fromEntries(g.updates.map((u, i) => [String(u.target.attrs.name), values[g.outputs.length + i]!])),
  };
}

function checkedLeaf(n: Node, values: ArrayLike<number>): Values {
  const size = sizeOf(n.type.shape);
  if (values.length !== size) throw new Error(`${n.op.schema.name} "${n.attrs.name}" has ${size} elements, got ${values.length}`);
  return Float64Array.from(values);
}

/** One node by its lowering rule. */
function interpret(n: Node, operands: readonly Values[]): Values {
  const { op, attrs, type } = n;
  if (!op.lower) throw new Error(`${op.schema.name} has no lowering rule`);
  const index = type.shape.map((_, a) => `i${a}`);
  const reads = n.inputs.map((x, i) => readOf(i, x));
  const memory = (name: string): Memory => {
    const i = Number.parseInt(name, 10);
    return { data: operands[i]!, shape: n.inputs[i]!.type.shape, padded: name.endsWith("p") };
  };
  const rule = op.lower(reads, attrs, type)(...index.map(k.axis));
  const element = rule.kind === "fold" ? foldTape(rule, index, memory) : compileTape(rule, index, memory);
  const out = new Float64Array(sizeOf(type.shape));
  let at = 0;
  for (const i of indices(type.shape)) out[at++] = element.run(i);
  return out;
}

function readOf(operand: number, { type }: Node): Read {
  const from = (suffix: string) => {
    const b = k.buffer(`${operand}${suffix}`, "in", type.shape, null, type.dtype);
    return (...index: readonly Expr[]): Expr => k.load(b, ...index);
  };
  return Object.assign(from(""), { padded: from("p"), type });
}

/** How a fold joins what it has with the next element; the first element is what it starts from. */
const joins: Record<Exclude<FoldOp, "argmax" | "argmin">, (a: number, b: number) => number> = {
  sum: (a, b) => a + b,
  prod: (a, b) => a * b,
  max: (a, b) => (a < b ? b : a),
  min: (a, b) => (b < a ? b : a),
  any: (a, b) => a || b,
  all: (a, b) => a && b,
};

function foldTape(fold: Fold, index: readonly string[], memory: (name: string) => Memory): Tape {
  const extents = fold.axes.map((a) => a.extent);
  const body = compileTape(fold.body, [...index, ...fold.axes.map((a) => a.name)], memory);
  return {
    run: (i) => {
      let result: number | null = null;
      let winner = 0;
      let position = 0;
      for (const r of indices(extents)) {
        const x = body.run([...i, ...r]);
        if (fold.op === "argmax" || fold.op === "argmin") {
          const wins: boolean = result === null || (fold.op === "argmax" ? x > result : x < result);
          if (wins) [result, winner] = [x, position];
        } else result = result === null ? x : joins[fold.op](result, x);
        position++;
      }
      return fold.op === "argmax" || fold.op === "argmin" ? winner : result!;
    },
  };
}

/** Every index of a shape in row-major order; the yielded list is reused. */
export function* indices(shape: Shape): Generator<readonly number[]> {
  const index = shape.map(() => 0);
  for (let n = sizeOf(shape); n > 0; n--) {
    yield index;
    for (let a = shape.length - 1; a >= 0 && ++index[a]! === shape[a]; a--) index[a] = 0;
  }
}
