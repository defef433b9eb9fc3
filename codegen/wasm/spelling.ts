/** How WebAssembly spells scalar and vector operations. null: `legalize` says it in other operations. */
import { invariant } from "../../ir/diagnostic.ts";
import type { BinaryOp, ScalarType, UnaryOp } from "../../ir/kernel/kernel.ts";
import type { Value } from "../translate.ts";
import type { Ref, Unit } from "./module.ts";

type Unary = (a: Ref) => Ref;
type Binary = (a: Ref, b: Ref) => Ref;
/** What an operand is. A mask has all bits of a lane set or none, a scalar bool is 0 or 1. */
type Class = ScalarType | "f32x4" | "i32x4" | "u32x4" | "mask";
export interface Spelling {
  readonly unary: Record<Class, Record<UnaryOp, Unary | null>>;
  readonly binary: Record<Class, Record<BinaryOp, Binary | null>>;
}
/** See `twice` in module.ts. */
export type Twice = (value: Ref, type: number) => { readonly first: Ref; readonly again: () => Ref };

const classOf = ({ type, lanes }: Value): Class => (lanes === 1 ? type : type === "bool" ? "mask" : `${type}x4`);

export function spellUnary(s: Spelling, op: UnaryOp, a: Ref, of: Value): Ref {
  const f = s.unary[classOf(of)][op];
  invariant(f, `${op} of ${classOf(of)} is no WebAssembly operation; legalize has to remove it`);
  return f(a);
}
export function spellBinary(s: Spelling, op: BinaryOp, a: Ref, b: Ref, of: Value): Ref {
  const f = s.binary[classOf(of)][op];
  invariant(f, `${op} of ${classOf(of)} is no WebAssembly operation; legalize has to remove it`);
  return f(a, b);
}

const noUnary: Record<UnaryOp, null> = {
  neg: null,
  abs: null,
  sign: null,
  sqrt: null,
  exp: null,
  log: null,
  sin: null,
  cos: null,
  tanh: null,
  erf: null,
  floor: null,
  ceil: null,
  round: null,
  not: null,
};
const noBinary: Record<BinaryOp, null> = {
  add: null,
  sub: null,
  mul: null,
  div: null,
  mod: null,
  min: null,
  max: null,
  pow: null,
  lt: null,
  le: null,
  eq: null,
  ne: null,
  and: null,
  or: null,
  xor: null,
  shl: null,
  shr: null,
};

export const spelling = (u: Unit, twice: Twice): Spelling => ({ unary: unarySpelling(u, twice), binary: binarySpelling(u, twice) });

function unarySpelling({ b, m }: Unit, twice: Twice): Spelling["unary"] {
  const absInt: Unary = (a) => {
    const x = twice(a, b.i32);
    return m.select(m.i32.lt_s(x.again(), m.i32.const(0)), m.i32.sub(m.i32.const(0), x.first), x.again());
  };
  const { f32, f32x4, i32, i32x4, v128 } = m;
  return {
    f32: { ...noUnary, neg: f32.neg, abs: f32.abs, sqrt: f32.sqrt, floor: f32.floor, ceil: f32.ceil, round: f32.nearest },
    f32x4: { ...noUnary, neg: f32x4.neg, abs: f32x4.abs, sqrt: f32x4.sqrt, floor: f32x4.floor, ceil: f32x4.ceil, round: f32x4.nearest },
    i32: { ...noUnary, neg: (a) => i32.sub(i32.const(0), a), abs: absInt },
    i32x4: { ...noUnary, neg: i32x4.neg, abs: i32x4.abs },
    u32: noUnary,
    u32x4: noUnary,
    bool: { ...noUnary, not: i32.eqz },
    mask: { ...noUnary, not: v128.not },
  };
}

function binarySpelling({ b, m }: Unit, twice: Twice): Spelling["binary"] {
  const { f32, f32x4, i32, i32x4, v128 } = m;
  /** `less(p, q) ? q : p` with (p, q) = (a, b), or `less(q, p) ? q : p`; a select evaluates its sides first, q before p. */
  const extreme = (less: Binary, type: number, swapped: boolean): Binary => {
    return (a, c) => {
      const p = twice(a, type);
      const q = twice(c, type);
      return m.select(swapped ? less(q.again(), p.again()) : less(p.again(), q.again()), q.first, p.first);
    };
  };
  const words = { add: i32.add, sub: i32.sub, mul: i32.mul, eq: i32.eq, ne: i32.ne, and: i32.and, or: i32.or, xor: i32.xor };
  const lanes = { add: i32x4.add, sub: i32x4.sub, mul: i32x4.mul, eq: i32x4.eq, ne: i32x4.ne, and: v128.and, or: v128.or, xor: v128.xor };
  return {
    f32: {
      ...noBinary,
      add: f32.add,
      sub: f32.sub,
      mul: f32.mul,
      div: f32.div,
      min: extreme(f32.lt, b.f32, true),
      max: extreme(f32.lt, b.f32, false),
      lt: f32.lt,
      le: f32.le,
      eq: f32.eq,
      ne: f32.ne,
    },
    f32x4: {
      ...noBinary,
      add: f32x4.add,
      sub: f32x4.sub,
      mul: f32x4.mul,
      div: f32x4.div,
      min: f32x4.pmin,
      max: f32x4.pmax,
      lt: f32x4.lt,
      le: f32x4.le,
      eq: f32x4.eq,
      ne: f32x4.ne,
    },
    i32: {
      ...noBinary,
      ...words,
      min: extreme(i32.lt_s, b.i32, true),
      max: extreme(i32.lt_s, b.i32, false),
      lt: i32.lt_s,
      le: i32.le_s,
    },
    i32x4: { ...noBinary, ...lanes, min: i32x4.min_s, max: i32x4.max_s, lt: i32x4.lt_s, le: i32x4.le_s },
    u32: { ...noBinary, ...words, lt: i32.lt_u, le: i32.le_u, shl: i32.shl, shr: i32.shr_u },
    u32x4: { ...noBinary, ...lanes, lt: i32x4.lt_u, le: i32x4.le_u, shl: i32x4.shl, shr: i32x4.shr_u },
    bool: { ...noBinary, lt: i32.lt_u, le: i32.le_u, eq: i32.eq, ne: i32.ne, and: i32.and, or: i32.or, xor: i32.xor },
    mask: {
      ...noBinary,
      lt: i32x4.lt_u,
      le: i32x4.le_u,
      eq: i32x4.eq,
      ne: i32x4.ne,
      and: v128.and,
      or: v128.or,
      xor: v128.xor,
    },
  };
}
