/** The one walk. An emitter says how its language spells a node; everything neutral is decided here. */
import { invariant } from "../ir/diagnostic.ts";
import {
  type BinaryOp,
  type Buffer,
  type Expr,
  type Kernel,
  type Lanes,
  type LoopKind,
  lanesOf,
  type OfSubgroup,
  type ScalarType,
  type Stmt,
  typeOf,
  type UnaryOp,
} from "../ir/kernel/kernel.ts";
import { boundsOf } from "../ir/kernel/linear.ts";
import { effectsOf } from "./effects.ts";

/** What an expression is: `f32` in four lanes is a vector, `bool` in four lanes a mask. */
export interface Value {
  readonly type: ScalarType;
  readonly lanes: Lanes;
}
export interface Variable extends Value {
  readonly name: string;
}
/** A place in memory: element `index` of a buffer, spelled by `at`, or `offset` elements behind a pointer. */
export type Place<E> =
  | { readonly kind: "element"; readonly buffer: Buffer; readonly index: Expr; readonly at: (index: Expr) => E }
  | { readonly kind: "behind"; readonly buffer: Buffer; readonly pointer: string; readonly offset: number };

/** i32 div and mod. toZero: both operands are known to be >= 0 and > 0, so any rounding is right and nothing can fault. */
export type Rounding = "toZero" | "down";
export interface Loop {
  readonly axis: string;
  readonly extent: number;
  readonly kind: LoopKind;
  /** The body reads the axis. */
  readonly isRead: boolean;
}
/** A body that may become a function: what it needs from outside. */
export interface Outlined {
  readonly name: string;
  readonly free: readonly Variable[];
  /** Buffers that it addresses itself. */
  readonly buffers: readonly Buffer[];
}

/** E: an emitted expression, S: an emitted statement. An E is used once. `of` is what the operands are. */
export interface Emitter<E, S> {
  readonly constant: (value: number, of: Value) => E;
  readonly variable: (v: Variable) => E;
  readonly load: (p: Place<E>, lanes: Lanes) => E;
  /** i32: 0, 1, 2, 3. */
  readonly lanes: () => E;
  /** One element in all four lanes. */
  readonly loadSplat: (p: Place<E>) => E;
  readonly splat: (a: E, type: ScalarType) => E;
  readonly pack: (parts: readonly [E, E, E, E], type: ScalarType) => E;
  readonly lane: (a: E, index: number, type: ScalarType) => E;
  readonly zip: (half: "low" | "high", a: E, b: E, type: ScalarType) => E;
  readonly reduce: (op: "add" | "min" | "max", a: E, type: ScalarType) => E;
  readonly unary: (op: UnaryOp, a: E, of: Value) => E;
  /** The `b` of a shift is always one lane. */
  readonly binary: (op: BinaryOp, a: E, b: E, of: Value) => E;
  readonly divide: (op: "div" | "mod", a: E, b: E, lanes: Lanes, rounding: Rounding) => E;
  readonly fma: (a: E, b: E, c: E, lanes: Lanes) => E;
  /** `condLanes` may be 1 where `of` has 4. */
  readonly select: (cond: E, a: E, b: E, of: Value, condLanes: Lanes) => E;
  readonly cast: (a: E, of: Value, to: ScalarType) => E;
  readonly bitcast: (a: E, of: Value, to: ScalarType) => E;
  readonly declare: (v: Variable, init: E | null) => S[];
  readonly assign: (v: Variable, value: E) => S[];
  readonly store: (p: Place<E>, value: E, lanes: Lanes) => S[];
  /** `from` null: the buffer's first element; `offset` null: 0. */
  readonly pointer: (name: string, buffer: Buffer, from: string | null, offset: E | null) => S[];
  readonly loop: (loop: Loop, body: () => S[]) => S[];
  /** Ends the loop whose body it begins where `cond` does not hold. */
  readonly whilst: (cond: E) => S[];
  readonly branch: (cond: E, body: () => S[]) => S[];
  readonly outline: (o: Outlined, body: () => S[]) => S[];
  readonly barrier: () => S[];
  readonly subgroup: (what: OfSubgroup) => E;
  /** Declares `v`: the value of the lane that differs in that bit. */
  readonly exchange: (v: Variable, value: E, bit: E) => S[];
}

/** Prints statements of one kernel, one list after the other; names declared by earlier ones stay known. */
export function translator<E, S>(kernel: Kernel, t: Emitter<E, S>): (body: readonly Stmt[]) => S[] {
  const variables = new Map<string, Variable>();
  const ranges = new Map<string, number>();

  const variable = (name: string): Variable => {
    const v = variables.get(name);
    invariant(v, `${kernel.name}: ${name} is not declared`);
    return v;
  };
  const declare = (v: Variable): Variable => {
    variables.set(v.name, v);
    return v;
  };
  const declareAddress = (name: string) => declare({ name, type: "i32", lanes: 1 });

  function place(buffer: Buffer, base: string | null, indices: readonly Expr[]): Place<E> {
    const [index] = indices;
    invariant(index && indices.length === 1, `${kernel.name}: ${buffer.name} has ${indices.length} indices; flatten leaves one`);
    if (base === null) return { kind: "element", buffer, index, at: expr };
    invariant(index.kind === "const", `${kernel.name}: ${base} is indexed by a ${index.kind}; behind a pointer stands a constant`);
    return { kind: "behind", buffer, pointer: base, offset: index.value };
  }
  function splat(a: Expr): E {
    if (a.kind === "load") return t.loadSplat(place(a.buffer, a.base, a.index));
    return a.kind === "const" ? t.constant(a.value, { type: a.type, lanes: 4 }) : t.splat(expr(a), typeOf(a));
  }
  function binary(e: Extract<Expr, { kind: "binary" }>): E {
    const of = kindOf(e.a);
    // All lanes are shifted by the same constant.
    if (e.op === "shl" || e.op === "shr") return t.binary(e.op, expr(e.a), expr(stripSplat(e.b)), of);
    const isIntDivision = of.type === "i32" && (e.op === "div" || e.op === "mod");
    if (!isIntDivision) return t.binary(e.op, expr(e.a), expr(e.b), of);
    return t.divide(e.op as "div" | "mod", expr(e.a), expr(e.b), of.lanes, rounding(e.a, e.b));
  }
  function rounding(a: Expr, b: Expr): Rounding {
    const [lo, hi] = boundsOf(a, ranges);
    const [least] = boundsOf(b, ranges);
    return lo >= 0 && hi < 2 ** 31 && least > 0 ? "toZero" : "down";
  }
  function expr(e: Expr): E {
    switch (e.kind) {
      case "const":
        return t.constant(e.value, { type: e.type, lanes: 1 });
      case "var":
        return t.variable(e);
      case "load":
        return t.load(place(e.buffer, e.base, e.index), e.lanes);
      case "lanes":
        return t.lanes();
      case "splat":
        return splat(e.a);
      case "pack": {
        const [a, b, c, d] = e.parts;
        return t.pack([expr(a), expr(b), expr(c), expr(d)], typeOf(a));
      }
      case "lane":
        return t.lane(expr(e.a), e.index, typeOf(e.a));
      case "zip":
        return t.zip(e.half, expr(e.a), expr(e.b), typeOf(e.a));
      case "reduce":
        return t.reduce(e.op, expr(e.a), typeOf(e.a));
      case "unary":
        return t.unary(e.op, expr(e.a), kindOf(e.a));
      case "binary":
        return binary(e);
      case "fma":
        return t.fma(expr(e.a), expr(e.b), expr(e.c), lanesOf(e));
      case "select":
        return t.select(expr(e.cond), expr(e.a), expr(e.b), kindOf(e.a), lanesOf(e.cond));
      case "cast":
        return t.cast(expr(e.a), kindOf(e.a), e.to);
      case "bitcast":
        return t.bitcast(expr(e.a), kindOf(e.a), e.to);
      case "subgroup":
        return t.subgroup(e.what);
      case "subgroups":
        invariant(false, `${kernel.name}: it is open whether there are subgroups`);
    }
  }
  function loop(s: Extract<Stmt, { kind: "for" }>): S[] {
    invariant(s.loop !== "vector" && s.loop !== "unrolled", `${kernel.name}: the ${s.loop} loop over ${s.axis} is left`);
    declareAddress(s.axis);
    ranges.set(s.axis, s.extent);
    const isRead = effectsOf(s.body).free.has(s.axis);
    const held = () => (s.while ? t.whilst(expr(s.while)) : []);
    return t.loop({ axis: s.axis, extent: s.extent, kind: s.loop, isRead }, () => [...held(), ...stmts(s.body)]);
  }
  function outline(s: Extract<Stmt, { kind: "outline" }>): S[] {
    const { free, buffers } = effectsOf(s.body);
    return t.outline({ name: s.name, free: [...free].map(variable), buffers: [...buffers.values()] }, () => stmts(s.body));
  }
  function stmt(s: Stmt): S[] {
    switch (s.kind) {
      case "for":
        return loop(s);
      case "if":
        return t.branch(expr(s.cond), () => stmts(s.body));
      case "var": {
        const init = s.init && expr(s.init);
        return t.declare(declare({ name: s.name, type: s.type, lanes: s.lanes }), init);
      }
      case "set":
        return t.assign(variable(s.name), expr(s.value));
      case "store":
        return t.store(place(s.buffer, s.base, s.index), expr(s.value), lanesOf(s.value));
      case "pointer": {
        const isZero = s.offset.kind === "const" && s.offset.value === 0;
        const offset = isZero ? null : expr(s.offset);
        return t.pointer(declareAddress(s.name).name, s.buffer, s.from, offset);
      }
      case "outline":
        return outline(s);
      case "barrier":
        return t.barrier();
      case "exchange": {
        const [value, bit] = [expr(s.value), expr(s.bit)];
        return t.exchange(declare({ name: s.name, type: s.type, lanes: 1 }), value, bit);
      }
      case "array":
        invariant(false, `${kernel.name}: the register array ${s.buffer.name} is left`);
    }
  }
  const stmts = (body: readonly Stmt[]): S[] => body.flatMap(stmt);
  return stmts;
}

const kindOf = (e: Expr): Value => ({ type: typeOf(e), lanes: lanesOf(e) });
const stripSplat = (e: Expr): Expr => (e.kind === "splat" ? e.a : e);
