/**
 * Computes what depends on constants only, where the result is one value or a small table.
 *
 *     %0 = full() {value=2, dtype="f32", shape=[]} : f32[]          %0 = full() {value=3, dtype="f32", shape=[4]} : f32[4]
 *     %1 = full() {value=1, dtype="f32", shape=[4]} : f32[4]
 *     %2 = add(%0, %1) : f32[4]
 *
 * An operation is computed by its own lowering rule, rounded to f32 after every scalar operation, so the bits are those the
 * program would have computed. What targets may round differently (exp, pow, ...) and reductions are left to them.
 */
import type { Node } from "../../ir/graph/graph.ts";
import type { Expr, ScalarType } from "../../ir/kernel/kernel.ts";
import { type Read, withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { type DType, sizeOf } from "../../ir/type.ts";
import { constantAt, constantOf, full, fullValue, indicesOf, isConstant } from "./constant.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { evaluate } from "./scalar.ts";

export const foldConstants: GraphPass = { name: "fold-constants", run: (graph) => rewriteNodes(graph, folded) };

/** Most elements of a table that folding makes. */
const limit = 16;

function folded(node: Node): Node {
  if (node.inputs.length === 0 || !node.op.lower || !node.inputs.every(isConstant)) return node;
  return withOrigin(node.origin, () => uniform(node) ?? table(node) ?? node);
}

/** One value everywhere, whatever the size: it is known without the index. */
function uniform(node: Node): Node | null {
  if (!node.inputs.every((x) => fullValue(x) !== null)) return null;
  const { dtype, shape } = node.type;
  const result = elementOf(node)(shape.map(() => unknown("i32")));
  return result === null ? null : full(result, dtype, shape);
}

/**
 * Element by element. A table never grows, so that broadcasting stays free, and what is computed from the index (`iota`)
 * becomes one value or stays: that is cheaper than reading memory.
 */
function table(node: Node): Node | null {
  const size = sizeOf(node.type.shape);
  if (size > limit || size > node.inputs.reduce((n, x) => n + sizeOf(x.type.shape), 0)) return null;
  const element = elementOf(node);
  const values: number[] = [];
  for (const index of indicesOf(node.type.shape)) {
    const value = element(index.map((i): Expr => ({ kind: "const", type: "i32", value: i })));
    if (value === null) return null;
    values.push(value);
  }
  const result = constantOf(values, node.type);
  return result.op === ops.dense && node.inputs.some((x) => x.op === ops.iota) ? null : result;
}

/** An element of the result of a node over constants; null where it cannot be known. */
function elementOf(node: Node): (index: readonly Expr[]) => number | null {
  const element = node.op.lower!(node.inputs.map(readConstant), node.attrs, node.type);
  return (index) => {
    const body = element(...index);
    return body.kind === "fold" ? null : stored(node.type.dtype, evaluate(body));
  };
}
/** A byte keeps the low bits of the integer it is computed as. */
const stored = (dtype: DType, value: number | null): number | null => (dtype === "u8" && value !== null ? value & 255 : value);

const scalarType: Record<DType, ScalarType> = { f32: "f32", i32: "i32", u8: "i32", bool: "bool" };

const unknown = (type: ScalarType): Expr => ({ kind: "var", type, lanes: 1, name: "unknown" });

function readConstant(node: Node): Read {
  const type = scalarType[node.type.dtype];
  const uniform = fullValue(node);
  const constant = (value: number): Expr => ({ kind: "const", type, value });
  const at = (index: readonly Expr[]): Expr => {
    if (uniform !== null) return constant(uniform);
    const known = index.map(evaluate);
    return known.some((i) => i === null) ? unknown(type) : constant(constantAt(node, known as number[]));
  };
  const padded = (index: readonly Expr[]): Expr => {
    const known = index.map(evaluate);
    if (known.some((i) => i === null)) return { kind: "select", cond: unknown("bool"), a: at(index), b: constant(0) };
    return known.every((i, axis) => i! >= 0 && i! < node.type.shape[axis]!) ? at(index) : constant(0);
  };
  return Object.assign((...index: Expr[]) => at(index), { padded: (...index: Expr[]) => padded(index), type: node.type });
}
