/** The kernel IR: loops over memory. Statements own effects, expressions are pure, indices are logical until `flatten`. */
import type { Layout } from "../layout.ts";
import type { DType, Shape, Stored } from "../type.ts";

/** What a scalar variable or one lane of a vector holds. `u32` exists for random numbers and bit tricks. */
export type ScalarType = "f32" | "i32" | "u32" | "bool";
export type Lanes = 1 | 4;

/** f32 unless said otherwise. neg, abs, sign: also i32. not: bool. round: half to even. */
export type UnaryOp = "neg" | "abs" | "sign" | "sqrt" | "exp" | "log" | "sin" | "cos" | "tanh" | "erf" | "floor" | "ceil" | "round" | "not";
/**
 * add sub mul min max: f32, i32 (wraps); add sub mul: u32. div: f32; i32 rounds down and gives 0 for a divisor of 0.
 * mod: the remainder that goes with div (sign of the divisor; 0 for a divisor of 0), f32 and i32. pow: f32.
 * max(a, b) is `a < b ? b : a`, min(a, b) is `b < a ? b : a` (so a NaN in `a` stays). lt le eq ne: any type, give bool.
 * and or xor: bool, i32, u32. shl shr: u32, by a constant 0..31.
 */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "min"
  | "max"
  | "pow"
  | "lt"
  | "le"
  | "eq"
  | "ne"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr";

/** serial: in order. grid: independent; ranges per thread on a CPU, workgroups on a GPU. thread: invocations of one
 *  workgroup. unrolled: copied by `unroll`. vector: four lanes, removed by `vectorize`. */
export type LoopKind = "serial" | "grid" | "thread" | "unrolled" | "vector";

/** in, out: bound from outside, one or several calls; inout: read and written in place. scratch: memory of one thread.
 *  workgroup: shared by a workgroup. global: what one grid loop leaves for the next. register: an array that must disappear
 *  into variables (`registers`). */
export type Space = "in" | "out" | "inout" | "scratch" | "workgroup" | "global" | "register";

/** Element type `u32` occurs in scratch and registers only. A load of `u8` gives i32, a store of i32 to `u8` keeps the low byte. */
export interface Buffer {
  readonly name: string;
  readonly space: Space;
  readonly type: DType | "u32";
  /** Logical. */
  readonly shape: Shape;
  readonly layout: Layout;
  /** Of bound f32 buffers: loads give f32, stores round. */
  readonly stored?: Stored;
}

export type Expr =
  | { readonly kind: "const"; readonly type: ScalarType; readonly value: number }
  /** A loop axis, or a variable declared by `var`. */
  | { readonly kind: "var"; readonly type: ScalarType; readonly lanes: Lanes; readonly name: string }
  /** `base` null: a logical index (after `flatten`: one element offset). `base` a pointer: one constant, in elements behind it.
   *  Four lanes: consecutive elements. */
  | { readonly kind: "load"; readonly lanes: Lanes; readonly buffer: Buffer; readonly base: string | null; readonly index: readonly Expr[] }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly a: Expr }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly a: Expr; readonly b: Expr }
  /** a*b + c, f32; rounded once or twice, the target may choose. */
  | { readonly kind: "fma"; readonly a: Expr; readonly b: Expr; readonly c: Expr }
  /** Both sides are evaluated; neither may fault. */
  | { readonly kind: "select"; readonly cond: Expr; readonly a: Expr; readonly b: Expr }
  /** To another type: float to int truncates, saturates, NaN gives 0; to bool is `!= 0`; bool gives 0 or 1. */
  | { readonly kind: "cast"; readonly to: ScalarType; readonly a: Expr }
  /** The same 32 bits. */
  | { readonly kind: "bitcast"; readonly to: "f32" | "i32" | "u32"; readonly a: Expr }
  /** The number of each lane, i32: 0, 1, 2, 3. */
  | { readonly kind: "lanes" }
  /** One scalar in all four lanes. */
  | { readonly kind: "splat"; readonly a: Expr }
  /** Four scalars as the lanes of a vector. */
  | { readonly kind: "pack"; readonly parts: readonly [Expr, Expr, Expr, Expr] }
  /** Lane `index` of a vector. */
  | { readonly kind: "lane"; readonly index: 0 | 1 | 2 | 3; readonly a: Expr }
  /** Lanes of two vectors in turn, of one half each: low is a0 b0 a1 b1, high is a2 b2 a3 b3. */
  | { readonly kind: "zip"; readonly half: "low" | "high"; readonly a: Expr; readonly b: Expr }
  /** All lanes as (0 op 2) op (1 op 3). */
  | { readonly kind: "reduce"; readonly op: "add" | "min" | "max"; readonly a: Expr }
  /** Whether the invocations of a workgroup are in full subgroups of `least` to `most` each; decided when a shader is chosen. */
  | { readonly kind: "subgroups"; readonly least: number; readonly most: number }
  /** i32; size: how many invocations are in a subgroup, 2 to the power of bits. lane: which of them this one is. */
  | { readonly kind: "subgroup"; readonly what: OfSubgroup };
export type OfSubgroup = "size" | "bits" | "lane";

export type Stmt =
  /** Extents are constants above zero. A serial loop with `while` ends before where that does not hold. */
  | {
      readonly kind: "for";
      readonly axis: string;
      readonly extent: number;
      readonly loop: LoopKind;
      readonly while?: Expr;
      readonly body: readonly Stmt[];
    }
  /** `cond` is one lane. */
  | { readonly kind: "if"; readonly cond: Expr; readonly body: readonly Stmt[] }
  /** Declares a mutable variable; `init` null: undefined until set. */
  | { readonly kind: "var"; readonly name: string; readonly type: ScalarType; readonly lanes: Lanes; readonly init: Expr | null }
  | { readonly kind: "set"; readonly name: string; readonly value: Expr }
  /** Brings a register array to life; inside a vector loop every lane has its own. */
  | { readonly kind: "array"; readonly buffer: Buffer; readonly lanes: Lanes }
  | { readonly kind: "store"; readonly buffer: Buffer; readonly base: string | null; readonly index: readonly Expr[]; readonly value: Expr }
  /** Names an address once and for all: (from, or the first element of buffer) + offset elements. Made by `pointers`. */
  | { readonly kind: "pointer"; readonly name: string; readonly buffer: Buffer; readonly from: string | null; readonly offset: Expr }
  /** A body worth its own function where functions matter (V8 has no on-stack replacement); it sets no outer variable. */
  | { readonly kind: "outline"; readonly name: string; readonly body: readonly Stmt[] }
  /** All invocations of the workgroup arrive before one goes on. */
  | { readonly kind: "barrier" }
  /** Declares a variable: `value` as the invocation of the subgroup has it whose lane differs in that bit. All take part. */
  | { readonly kind: "exchange"; readonly name: string; readonly type: ScalarType; readonly value: Expr; readonly bit: Expr };

/** Axes and variables have names that are unique in the kernel; buffers have names of their own. */
export interface Kernel {
  readonly name: string;
  readonly buffers: readonly Buffer[];
  readonly body: readonly Stmt[];
}

/** What a load from a buffer gives. */
export const elementType = (b: Buffer): ScalarType => (b.type === "u8" ? "i32" : b.type);

const comparisons: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["lt", "le", "eq", "ne"]);

export const typeOf = (e: Expr): ScalarType => {
  switch (e.kind) {
    case "const":
    case "var":
      return e.type;
    case "load":
      return elementType(e.buffer);
    case "fma":
      return "f32";
    case "lanes":
    case "subgroup":
      return "i32";
    case "subgroups":
      return "bool";
    case "unary":
    case "splat":
    case "lane":
    case "zip":
    case "reduce":
    case "select":
      return typeOf(e.a);
    case "binary":
      return comparisons.has(e.op) ? "bool" : typeOf(e.a);
    case "pack":
      return typeOf(e.parts[0]);
    case "cast":
    case "bitcast":
      return e.to;
  }
};
export const lanesOf = (e: Expr): Lanes => {
  switch (e.kind) {
    case "const":
    case "lane":
    case "reduce":
    case "subgroups":
    case "subgroup":
      return 1;
    case "var":
    case "load":
      return e.lanes;
    case "lanes":
    case "splat":
    case "zip":
    case "pack":
      return 4;
    case "unary":
    case "binary":
    case "fma":
    case "cast":
    case "bitcast":
      return lanesOf(e.a);
    case "select":
      return lanesOf(e.a);
  }
};
