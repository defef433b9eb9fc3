/** What an operation's lowering rule says by itself, whatever the operands are. */
import { invariant } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { axis } from "../../ir/kernel/build.ts";
import type { BinaryOp, Expr, UnaryOp } from "../../ir/kernel/kernel.ts";
import { partsOf } from "../../ir/kernel/rewrite.ts";
import type { Fold, Read } from "../../ir/op.ts";
import { scalarType } from "../../ir/ops/broadcasting.ts";

/** The rule at an unknown index of unknown operands. */
function ruleOf(n: Node): Expr | Fold {
  const reads = n.inputs.map((x): Read => {
    const element = (): Expr => ({ kind: "var", type: scalarType(x.type.dtype), lanes: 1, name: "x" });
    return Object.assign(element, { padded: element, type: x.type });
  });
  return n.op.lower!(reads, n.attrs, n.type)(...n.type.shape.map(() => axis("i")));
}

const cached = <T>(compute: (n: Node) => T): ((n: Node) => T) => {
  const cache = new WeakMap<Node, { readonly value: T }>();
  return (n) => {
    const known = cache.get(n) ?? { value: compute(n) };
    cache.set(n, known);
    return known.value;
  };
};

/** What a fold reduces with and over, and which blocks its result has; what these read is that of unknown operands. */
export const foldOf: (n: Node) => Pick<Fold, "op" | "axes" | "blocks"> = cached((n) => {
  const result = ruleOf(n);
  invariant(result.kind === "fold", `${n.op.schema.name} is declared a ${n.op.schema.kind} but does not lower to a fold`);
  const { op, axes, blocks } = result;
  return { op, axes, ...(blocks ? { blocks } : {}) };
});

/** Scalar operations of one element, weighed; operands are free. */
export const arithmeticOf: (n: Node) => number = cached((n) => {
  const seen = new Set<Expr>();
  const weigh = (e: Expr): number => {
    if (seen.has(e)) return 0;
    seen.add(e);
    return weightOf(e) + partsOf(e).reduce((sum, part) => sum + weigh(part), 0);
  };
  const result = ruleOf(n);
  return weigh(result.kind === "fold" ? result.body : result);
});

/** Against an addition. Functions are polynomials on WebAssembly; quotients and roots keep their unit busy. */
const weights: Record<UnaryOp | BinaryOp, number> = {
  neg: 1,
  abs: 1,
  sign: 1,
  sqrt: 8,
  exp: 8,
  log: 8,
  sin: 8,
  cos: 8,
  tanh: 8,
  erf: 8,
  floor: 1,
  ceil: 1,
  round: 1,
  not: 1,
  add: 1,
  sub: 1,
  mul: 1,
  div: 8,
  mod: 8,
  min: 1,
  max: 1,
  pow: 8,
  lt: 1,
  le: 1,
  eq: 1,
  ne: 1,
  and: 1,
  or: 1,
  xor: 1,
  shl: 1,
  shr: 1,
};
function weightOf(e: Expr): number {
  switch (e.kind) {
    case "unary":
    case "binary":
      return weights[e.op];
    case "fma":
    case "select":
    case "cast":
    case "reduce":
      return 1;
    case "const":
    case "var":
    case "load":
    case "bitcast":
    case "lanes":
    case "splat":
    case "pack":
    case "lane":
    case "zip":
    case "subgroups":
    case "subgroup":
      return 0;
  }
}
