/** Scalar expressions as a list of closures, in double precision; shared subexpressions are computed once. */
import { type BinaryOp, type Expr, type ScalarType, typeOf, type UnaryOp } from "../../../ir/kernel/kernel.ts";
import { erf } from "./naive.ts";

export interface Memory {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
  /** Outside reads as 0; else it is a mistake of the lowering rule. */
  readonly padded: boolean;
}
export interface Tape {
  /** The value of the expression under values of the variables, in the order of `variables`. */
  readonly run: (variables: readonly number[]) => number;
}

/** `memory` finds what a load reads by the name of its buffer. */
export function compileTape(root: Expr, variables: readonly string[], memory: (buffer: string) => Memory): Tape {
  const slots = new Map<Expr, number>();
  const steps: ((v: number[]) => number)[] = [];
  const visit = (e: Expr): number => {
    const known = slots.get(e);
    if (known !== undefined) return known;
    if (e.kind === "var") {
      if (!variables.includes(e.name)) throw new Error(`unknown variable ${e.name}`);
      return variables.indexOf(e.name);
    }
    const step = stepOf(e, visit, memory);
    const slot = variables.length + steps.length;
    steps.push(step);
    slots.set(e, slot);
    return slot;
  };
  const result = visit(root);
  const values: number[] = new Array(variables.length + steps.length).fill(0);
  return {
    run: (given) => {
      for (let i = 0; i < variables.length; i++) values[i] = given[i]!;
      for (let i = 0; i < steps.length; i++) values[variables.length + i] = steps[i]!(values);
      return values[result]!;
    },
  };
}

function stepOf(e: Expr, visit: (e: Expr) => number, memory: (buffer: string) => Memory): (v: number[]) => number {
  switch (e.kind) {
    case "const":
      return () => e.value;
    case "unary": {
      const [f, a] = [unaryOps[e.op], visit(e.a)];
      return (v) => f(v[a]!);
    }
    case "binary": {
      const [f, a, b] = [binaryOps[e.op], visit(e.a), visit(e.b)];
      const type = typeOf(e.a);
      if (type !== typeOf(e.b)) throw new Error(`${e.op} of ${type} and ${typeOf(e.b)}`);
      const wrap = wrapTo[type];
      return (v) => wrap(f(v[a]!, v[b]!, type));
    }
    case "select": {
      const [c, a, b] = [visit(e.cond), visit(e.a), visit(e.b)];
      if (typeOf(e.cond) !== "bool" || typeOf(e.a) !== typeOf(e.b)) throw new Error("select of unequal types");
      return (v) => (v[c] ? v[a]! : v[b]!);
    }
    case "cast": {
      const [from, a] = [typeOf(e.a), visit(e.a)];
      return (v) => castTo(v[a]!, from, e.to);
    }
    case "bitcast": {
      const a = visit(e.a);
      if (e.to === "f32" || typeOf(e.a) === "f32") throw new Error("bits of a float mean nothing in double precision");
      return (v) => wrapTo[e.to](v[a]!);
    }
    case "load":
      return loadStep(memory(e.buffer.name), e.index.map(visit), e.buffer.name);
    case "var":
    case "fma":
    case "lanes":
    case "splat":
    case "pack":
    case "lane":
    case "zip":
    case "reduce":
    case "subgroups":
    case "subgroup":
      throw new Error(`${e.kind} in a lowering rule`);
  }
}
function loadStep({ data, shape, padded }: Memory, index: readonly number[], name: string): (v: number[]) => number {
  if (index.length !== shape.length) throw new Error(`${name}: ${index.length} indices for ${shape.length} axes`);
  return (v) => {
    let at = 0;
    for (let a = 0; a < shape.length; a++) {
      const i = v[index[a]!]!;
      if (i < 0 || i >= shape[a]!) {
        if (padded) return 0;
        throw new Error(`${name}: index ${i} outside of axis ${a} of [${shape.join(", ")}]`);
      }
      at = at * shape[a]! + i;
    }
    return data[at]!;
  };
}

const wrapTo: Record<ScalarType, (x: number) => number> = {
  f32: (x) => x,
  i32: (x) => x | 0,
  u32: (x) => x >>> 0,
  bool: (x) => x,
};
const roundHalfToEven = (x: number): number => {
  const low = Math.floor(x);
  return x - low === 0.5 ? (low % 2 === 0 ? low : low + 1) : Math.round(x);
};
const unaryOps: Record<UnaryOp, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  not: (x) => (x ? 0 : 1),
};
const binaryOps: Record<BinaryOp, (a: number, b: number, type: ScalarType) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b, type) => (type === "f32" ? a * b : Math.imul(a, b)),
  div: (a, b, type) => (type === "f32" ? a / b : b === 0 ? 0 : Math.floor(a / b)),
  mod: (a, b) => (b === 0 ? 0 : a - Math.floor(a / b) * b),
  min: (a, b) => (b < a ? b : a),
  max: (a, b) => (a < b ? b : a),
  pow: (a, b) => a ** b,
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => a >>> b,
};
function castTo(x: number, from: ScalarType, to: ScalarType): number {
  if (to === "bool") return Number(x !== 0);
  if (to === "f32") return x;
  if (from !== "f32") return wrapTo[to](x);
  const [low, high] = to === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x)));
}
