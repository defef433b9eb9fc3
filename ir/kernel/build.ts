/** Builders: the words that schedules and lowering rules are written in. `i32` index arithmetic folds constants; nothing else does. */
import { invariant } from "../diagnostic.ts";
import { type Layout, rowMajor } from "../layout.ts";
import type { Shape, TensorType } from "../type.ts";
import {
  type BinaryOp,
  type Buffer,
  type Expr,
  type LoopKind,
  lanesOf,
  type OfSubgroup,
  type ScalarType,
  type Space,
  type Stmt,
  typeOf,
  type UnaryOp,
} from "./kernel.ts";

/* ---- buffers and names ----------------------------------------------------------------------------------------- */

/** `layout` null is row-major. */
export const buffer = (name: string, space: Space, shape: Shape, layout: Layout | null = null, type: Buffer["type"] = "f32"): Buffer => ({
  name,
  space,
  type,
  shape,
  layout: layout ?? rowMajor(shape.length),
});
export const bufferOf = (name: string, space: Space, t: TensorType): Buffer => buffer(name, space, t.shape, t.layout, t.dtype);

/** `elements` of a buffer as one of their own. */
export const flatBuffer = (b: Buffer, name: string, elements: number): Buffer => ({ ...b, name, shape: [elements], layout: rowMajor(1) });

/** Hands out names: `base` itself, then `base_1`, `base_2`, ...; never one that is `taken`. */
export function names(taken: Iterable<string> = []): (base: string) => string {
  const used = new Set(taken);
  const next = new Map<string, number>();
  return (base) => {
    let name = base;
    for (let n = next.get(base) ?? 1; used.has(name); n++) {
      name = `${base}_${n}`;
      next.set(base, n + 1);
    }
    used.add(name);
    return name;
  };
}

/* ---- leaves ---------------------------------------------------------------------------------------------------- */

const constant =
  (type: ScalarType) =>
  (value: number): Expr => ({ kind: "const", type, value });
export const i32 = constant("i32");
export const u32 = constant("u32");
/** Rounded to single precision: what a constant is on every target. */
export const f32 = (value: number): Expr => ({ kind: "const", type: "f32", value: Math.fround(value) });
export const bool = (value: boolean): Expr => ({ kind: "const", type: "bool", value: Number(value) });
/** A loop axis. */
export const axis = (name: string): Expr => ({ kind: "var", type: "i32", lanes: 1, name });
export const local = (name: string, type: ScalarType = "f32"): Expr => ({ kind: "var", type, lanes: 1, name });
export const load = (b: Buffer, ...index: readonly Expr[]): Expr => {
  invariant(index.length === b.shape.length, `${b.name} has ${b.shape.length} axes, read with ${index.length} indices`);
  return { kind: "load", lanes: 1, buffer: b, base: null, index };
};

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */

export const unary = (op: UnaryOp, a: Expr): Expr => ({ kind: "unary", op, a });
const unaryOf =
  (op: UnaryOp) =>
  (a: Expr): Expr =>
    unary(op, a);
export const neg = unaryOf("neg");
export const abs = unaryOf("abs");
export const sign = unaryOf("sign");
export const sqrt = unaryOf("sqrt");
export const exp = unaryOf("exp");
export const log = unaryOf("log");
export const sin = unaryOf("sin");
export const cos = unaryOf("cos");
export const tanh = unaryOf("tanh");
export const erf = unaryOf("erf");
export const floor = unaryOf("floor");
export const ceil = unaryOf("ceil");
export const round = unaryOf("round");
export const not = unaryOf("not");

/** No folding at all. */
export const binary = (op: BinaryOp, a: Expr, b: Expr): Expr => ({ kind: "binary", op, a, b });
const binaryOf =
  (op: BinaryOp) =>
  (a: Expr, b: Expr): Expr =>
    binary(op, a, b);

type IntConst = Extract<Expr, { kind: "const" }> & { readonly type: "i32" };
const isInt = (e: Expr): e is IntConst => e.kind === "const" && e.type === "i32";
const is = (e: Expr, value: number) => isInt(e) && e.value === value;
export const floorDiv = (a: number, b: number): number => (b === 0 ? 0 : Math.floor(a / b));
export const floorMod = (a: number, b: number): number => (b === 0 ? 0 : a - Math.floor(a / b) * b);

type IntOp = "add" | "sub" | "mul" | "div" | "mod" | "min" | "max";
const fold: Record<IntOp, (a: number, b: number) => number> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  div: (a, b) => floorDiv(a, b) | 0,
  mod: (a, b) => floorMod(a, b) | 0,
  min: Math.min,
  max: Math.max,
};
/** Operands that are the result, such as a in a + 0; null: none. */
const identity: Record<IntOp, (a: Expr, b: Expr) => Expr | null> = {
  add: (a, b) => (is(a, 0) ? b : is(b, 0) ? a : null),
  sub: (a, b) => (is(b, 0) ? a : null),
  mul: (a, b) => (is(a, 1) || is(b, 0) ? b : is(b, 1) || is(a, 0) ? a : null),
  div: (a, b) => (is(b, 1) || is(a, 0) ? a : is(b, 0) ? b : null),
  mod: (a, b) => (is(b, 1) ? i32(0) : is(b, 0) ? b : is(a, 0) ? a : null),
  min: () => null,
  max: () => null,
};
const indexOp =
  (op: IntOp) =>
  (a: Expr, b: Expr): Expr => {
    if (isInt(a) && isInt(b)) return i32(fold[op](a.value, b.value));
    return (isInt(a) || isInt(b) ? identity[op](a, b) : null) ?? binary(op, a, b);
  };
export const add = indexOp("add");
export const sub = indexOp("sub");
export const mul = indexOp("mul");
export const div = indexOp("div");
export const mod = indexOp("mod");
export const min = indexOp("min");
export const max = indexOp("max");
export const pow = binaryOf("pow");
export const lt = binaryOf("lt");
export const le = binaryOf("le");
export const gt = (a: Expr, b: Expr): Expr => lt(b, a);
export const ge = (a: Expr, b: Expr): Expr => le(b, a);
export const eq = binaryOf("eq");
export const ne = binaryOf("ne");
export const and = binaryOf("and");
export const or = binaryOf("or");
export const xor = binaryOf("xor");
export const shl = (a: Expr, bits: number): Expr => binary("shl", a, u32(bits));
export const shr = (a: Expr, bits: number): Expr => binary("shr", a, u32(bits));

export const fma = (a: Expr, b: Expr, c: Expr): Expr => ({ kind: "fma", a, b, c });
export const select = (cond: Expr, a: Expr, b: Expr): Expr => ({ kind: "select", cond, a, b });
export const cast = (to: ScalarType, a: Expr): Expr => (typeOf(a) === to ? a : { kind: "cast", to, a });
export const bitcast = (to: "f32" | "i32" | "u32", a: Expr): Expr => (typeOf(a) === to ? a : { kind: "bitcast", to, a });
/** 0, 1, 2, 3. */
export const lanes: Expr = { kind: "lanes" };
export const splat = (a: Expr): Expr => ({ kind: "splat", a });
export const pack = (...parts: readonly [Expr, Expr, Expr, Expr]): Expr => ({ kind: "pack", parts });
export const lane = (a: Expr, index: 0 | 1 | 2 | 3): Expr => ({ kind: "lane", index, a });
export const zip = (half: "low" | "high", a: Expr, b: Expr): Expr => ({ kind: "zip", half, a, b });
/** Whether there are subgroups of such sizes. */
export const subgroups = (least: number, most: number): Expr => ({ kind: "subgroups", least, most });
export const subgroup = (what: OfSubgroup): Expr => ({ kind: "subgroup", what });
export const reduce = (op: "add" | "min" | "max", a: Expr): Expr => ({ kind: "reduce", op, a });

/** a*scale + b, the everyday index. */
export const at = (a: Expr, scale: number, b: Expr | number = 0): Expr => add(mul(a, i32(scale)), typeof b === "number" ? i32(b) : b);
/** Conditions joined by `and`; true when there is none. */
export const allOf = (conds: readonly Expr[]): Expr => (conds.length === 0 ? bool(true) : conds.reduce(and));
/** lo <= index < hi. */
export const inside = (index: Expr, lo: number, hi: number): Expr => and(le(i32(lo), index), lt(index, i32(hi)));
/** `index` moved to the nearest end of [0, extent). */
export const clamp = (index: Expr, extent: number): Expr => max(i32(0), min(index, i32(extent - 1)));

/* ---- statements ------------------------------------------------------------------------------------------------ */

export const store = (b: Buffer, index: readonly Expr[], value: Expr): Stmt => {
  invariant(index.length === b.shape.length, `${b.name} has ${b.shape.length} axes, written with ${index.length} indices`);
  return { kind: "store", buffer: b, base: null, index, value };
};
export const declare = (name: string, init: Expr): Stmt => ({ kind: "var", name, type: typeOf(init), lanes: lanesOf(init), init });
export const set = (name: string, value: Expr): Stmt => ({ kind: "set", name, value });
export const array = (b: Buffer): Stmt => ({ kind: "array", buffer: b, lanes: 1 });
export const outline = (name: string, body: readonly Stmt[]): Stmt => ({ kind: "outline", name, body });
export const barrier: Stmt = { kind: "barrier" };
export const exchange = (name: string, value: Expr, bit: Expr): Stmt => ({ kind: "exchange", name, type: typeOf(value), value, bit });
/** body where `cond` holds. */
export const when = (cond: Expr, body: readonly Stmt[]): Stmt => ({ kind: "if", cond, body });
/** body where index < limit. */
export const within = (index: Expr, limit: number, body: readonly Stmt[]): Stmt => when(lt(index, i32(limit)), body);

export type LoopBody = (i: Expr) => readonly Stmt[];
/** The name must be new in the kernel (see `names`). */
const loop =
  (kind: LoopKind) =>
  (name: string, extent: number, body: LoopBody): Stmt => ({
    kind: "for",
    axis: name,
    extent,
    loop: kind,
    body: body(axis(name)),
  });
export const serial = loop("serial");
export const grid = loop("grid");
export const thread = loop("thread");
export const unrolled = loop("unrolled");
export const vector = loop("vector");
