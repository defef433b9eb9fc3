/** Writes a group out at one index: reads of stored values become loads, everything else its operation's lowering rule. */
import { invariant } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { add, and, i32, le, load, lt, max, min, mul, select } from "../../ir/kernel/build.ts";
import type { Axes, Evaluated, StageRead } from "../../ir/kernel/computation.ts";
import { type Buffer, type Expr, lanesOf, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";
import { bounds, keyOf, linear } from "../../ir/kernel/linear.ts";
import { mapExpr, partsOf } from "../../ir/kernel/rewrite.ts";
import { haloOf } from "../../ir/layout.ts";
import type { Fold, Read } from "../../ir/op.ts";
import { isLiteral } from "./group.ts";

export interface Scope {
  /** Memory of the values that are stored. */
  readonly buffers: ReadonlyMap<Node, Buffer>;
  /** Values that earlier stages of the kernel have left. */
  readonly stages: ReadonlyMap<Node, StageRead>;
  /** How many nodes of the group read a value: more than one makes it a variable. */
  readonly uses: ReadonlyMap<Node, number>;
  readonly axes: Axes;
  /** The fold of the group and what it came to, for the part behind it. */
  readonly folded: { readonly node: Node; readonly value: Expr } | null;
}

/** The value of `node` at a logical index. */
export function evaluate(node: Node, index: readonly Expr[], scope: Scope): Evaluated {
  const state = stateOf(scope);
  return named(valueAt(node, index, state), state);
}
/** A value that the rule of the fold `node` speaks of, such as what it reduces, at a logical index of its result. */
export function evaluateInFold(node: Node, index: readonly Expr[], scope: Scope, part: (fold: Fold) => Expr): Evaluated {
  const state = stateOf(scope);
  const fold = lowered(node, index, state);
  invariant(fold.kind === "fold", `${node.op.schema.name} is not a fold`);
  return named(part(fold), state);
}

interface State {
  readonly scope: Scope;
  readonly lets: Stmt[];
  /** Values of shared nodes by node and index, each as one object. */
  readonly known: Map<string, Expr>;
  readonly ids: Map<Node, number>;
}
const stateOf = (scope: Scope): State => ({ scope, lets: [], known: new Map(), ids: new Map() });
const lowered = (node: Node, index: readonly Expr[], state: State): Expr | Fold =>
  node.op.lower!(
    node.inputs.map((x) => readOf(x, state)),
    node.attrs,
    node.type,
  )(...index);

function valueAt(node: Node, index: readonly Expr[], state: State): Expr {
  const { folded, buffers, stages, uses } = state.scope;
  if (node === folded?.node) return folded.value;
  const shared = (uses.get(node) ?? 0) > 1;
  const key = shared ? keyAt(node, index, state) : "";
  const known = shared ? state.known.get(key) : undefined;
  if (known) return known;
  const buffer = buffers.get(node);
  const value = stages.get(node)?.(index) ?? (buffer ? load(buffer, ...index) : computedAt(node, index, state));
  if (!shared) return value;
  // Integers may be indices, of which keys are made: they stay short.
  const kept =
    typeOf(value) === "f32" || value.kind === "const" || value.kind === "var" ? value : declared(value, state.lets, state.scope.axes);
  state.known.set(key, kept);
  return kept;
}
function computedAt(node: Node, index: readonly Expr[], state: State): Expr {
  if (isLiteral(node)) return literalAt(node, index);
  const value = lowered(node, index, state);
  invariant(value.kind !== "fold", `${node.op.schema.name} is folded inside another kernel`);
  return value;
}
/**
 * The value with a variable for each part that occurs more than once as the same object: work of rules (random numbers use one
 * expression a hundred times over; written out it would be a tree), and values of shared nodes.
 */
function named(root: Expr, { lets, known, scope: { axes } }: State): Evaluated {
  const shared = new Set(known.values());
  const uses = new Map<Expr, number>();
  const count = (e: Expr): void => {
    const n = uses.get(e) ?? 0;
    uses.set(e, n + 1);
    if (n === 0) partsOf(e).forEach(count);
  };
  count(root);
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    const made = done.get(e);
    if (made) return made;
    const rebuilt = mapExpr(e, visit);
    const isNamed = uses.get(e)! > 1 && e.kind !== "const" && e.kind !== "var" && (shared.has(e) || isWork(e));
    const value = isNamed ? declared(rebuilt, lets, axes) : rebuilt;
    done.set(e, value);
    return value;
  };
  const value = visit(root);
  return { lets, value };
}
/** Integers and tests on them are left alone: indices must stay visible as arithmetic. */
const isWork = (e: Expr) => e.kind !== "load" && (typeOf(e) === "f32" || typeOf(e) === "u32");

function declared(value: Expr, lets: Stmt[], axes: Axes): Expr {
  const name = axes.fresh("t");
  lets.push({ kind: "var", name, type: typeOf(value), lanes: lanesOf(value), init: value });
  return { kind: "var", type: typeOf(value), lanes: 1, name };
}
function keyAt(node: Node, index: readonly Expr[], state: State): string {
  if (!state.ids.has(node)) state.ids.set(node, state.ids.size);
  return [state.ids.get(node), ...index.map(keyOf)].join(" ");
}

/** An element of a short literal table: a tree of selects. */
function literalAt(node: Node, index: readonly Expr[]): Expr {
  const data = node.attrs.data as readonly number[];
  invariant(isLiteral(node), `a table of ${data.length} elements has no memory`);
  const position = index.reduce<Expr>((p, i, axis) => add(mul(p, i32(node.type.shape[axis]!)), i), i32(0));
  const type = node.type.dtype === "u8" ? "i32" : node.type.dtype;
  const pick = (from: number, to: number): Expr => {
    if (to - from === 1) return { kind: "const", type, value: data[from]! };
    const middle = (from + to) >> 1;
    return select(lt(position, i32(middle)), pick(from, middle), pick(middle, to));
  };
  return pick(0, data.length);
}

const readOf = (node: Node, state: State): Read =>
  Object.assign((...index: readonly Expr[]) => valueAt(node, index, state), {
    padded: (...index: readonly Expr[]) => paddedAt(node, index, state),
    type: node.type,
  });

/** 0 outside the shape; a test and a clamp for each axis that may lie outside, none where a halo of zeros is in memory. */
function paddedAt(node: Node, index: readonly Expr[], state: State): Expr {
  const tests: Expr[] = [];
  const layout = state.scope.buffers.get(node)?.layout;
  const inside = index.map((i, axis) => {
    const extent = node.type.shape[axis]!;
    const [lo, hi] = bounds(linear(i, state.scope.axes.ranges), state.scope.axes.ranges);
    const [before, after] = layout ? haloOf(layout, axis) : [0, 0];
    if (lo >= -before && hi < extent + after) return i;
    if (lo < 0) tests.push(le(i32(0), i));
    if (hi >= extent) tests.push(lt(i, i32(extent)));
    const low = lo < 0 ? max(i, i32(0)) : i;
    return hi >= extent ? min(low, i32(extent - 1)) : low;
  });
  const value = valueAt(node, inside, state);
  if (tests.length === 0) return value;
  const type = typeOf(value);
  return select(
    tests.reduce((a, b) => and(a, b)),
    value,
    { kind: "const", type, value: 0 },
  );
}
