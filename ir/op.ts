/**
 * What an operation is: schema, shape rule, gradient rule and lowering, side by side, in one file per operation.
 *
 *     export const relu = op({ name: "relu", inputs: ["x"], kind: "elementwise" }).rules({
 *       infer: ({ x }) => x,
 *       grad: ({ x }, _, _y, dy) => ({ x: where({ cond: less({ a: zero, b: x }), a: dy, b: zero }) }),
 *       lower: ({ x }) => (...i) => k.max(x(...i), k.f32(0)),
 *     });
 *
 * Two calls, because gradients of operations refer to each other. The result is callable: calling it makes a node.
 */
import { fail, invariant } from "./diagnostic.ts";
import type { Attr, Attrs, Node, Origin } from "./graph/graph.ts";
import type { Expr } from "./kernel/kernel.ts";
import { printType, type TensorType } from "./type.ts";

/* ---- attributes ------------------------------------------------------------------------------------------------ */

export type AttrKind = "int" | "float" | "bool" | "string" | "ints" | "floats";
export interface AttrSpec<T extends Attr = Attr> {
  readonly kind: AttrKind;
  /** Absent: the attribute must be given. */
  readonly default?: T;
}
const attr =
  <T extends Attr>(kind: AttrKind) =>
  (value?: T): AttrSpec<T> =>
    value === undefined ? { kind } : { kind, default: value };
export const int = attr<number>("int");
export const float = attr<number>("float");
export const bool = attr<boolean>("bool");
export const string = attr<string>("string");
export const ints = attr<readonly number[]>("ints");
export const floats = attr<readonly number[]>("floats");

/* ---- schema ---------------------------------------------------------------------------------------------------- */

/**
 * What sort of operation it is, and what has to be said of one of that sort.
 * leaf: memory or a literal list, which code may hold unless it has to be `inMemory`. creation: computed from its attributes and the index alone. elementwise: result[i] from
 * operands at the same (broadcast) index. view: result[i] is one element of one operand, elsewhere, or a constant.
 * copy: the operand in memory of its own, which may have another layout. fold: one reduction per element, plainly lowered.
 * scatter: a fold in which every operand element adds to one row, which another operand names; a kernel of its own, because it
 * may go through the operands instead of the result. contraction: a sum of products that deserves a tile. composite:
 * `decompose` says it in other operations. opaque: everything else (e.g. `gradient`), gone before lowering.
 */
type Kind<Operands extends readonly Role[]> =
  | { readonly kind: "leaf"; readonly lasts: Lasts; readonly inMemory?: true }
  | { readonly kind: "view"; readonly access: Access }
  | { readonly kind: "contraction"; readonly operands: Operands; readonly result: Role }
  | { readonly kind: "creation" | "elementwise" | "copy" | "fold" | "scatter" | "composite" | "opaque" };

/** How long a leaf keeps its elements. always: they are its attribute `data`. update: until a graph updates it. run: for one run. */
export type Lasts = "always" | "update" | "run";

/**
 * How a view finds the element. ordered, permuted: in row-major memory its address moves evenly with the index, and what
 * follows each other in the view does so in the operand, or does not. piecewise: where the index lies says which operand is
 * read, or a constant. indirect: an operand holds the index at which another one is read.
 */
export type Access = "ordered" | "permuted" | "piecewise" | "indirect";

/** What takes part in a contraction: images [N, C, ...], the kernel that moves over them [O, C, ...], matrices [..., i, j]. */
export type Role = "image" | "kernel" | "matrix";

export type Schema = Kind<readonly Role[]> & {
  readonly name: string;
  /** Operand names; a last name `...xs` takes any number. */
  readonly inputs: readonly string[];
  readonly attrs: Readonly<Record<string, AttrSpec>>;
  /** Axis a of the result is axis a of every operand, if of another extent: what one's layout is good for the others' is too. */
  readonly sameAxes?: true;
};
export type OpKind = Schema["kind"];

/**
 * The axis of a contraction's second operand that becomes an axis of its result: each position there, a column, makes one
 * position here. With groups, columns of different groups read different parts of the first operand.
 */
export interface Columns {
  readonly operand: number;
  readonly result: number;
  readonly groups: number;
  /** The operand's further axes are not summed over: each place along them is a product of its own. */
  readonly isEach?: true;
}

/** Element of an operand at a logical index. */
export interface Read {
  /** Every index lies inside the shape, in all cases. */
  (...index: readonly Expr[]): Expr;
  /** 0 where an index lies outside. */
  readonly padded: (...index: readonly Expr[]) => Expr;
  readonly type: TensorType;
}
/** argmax, argmin: the first winner's row-major position among the fold axes, as i32. */
export type FoldOp = "sum" | "prod" | "max" | "min" | "argmax" | "argmin" | "any" | "all";
/** A reduction of `body` over fresh axes; only ever the whole result of a lowering rule. */
export interface Fold {
  readonly kind: "fold";
  readonly op: FoldOp;
  /** Outermost first; named k0, k1, ... */
  readonly axes: readonly { readonly name: string; readonly extent: number }[];
  readonly body: Expr;
  readonly blocks?: Blocks;
}
/** Constant, row by row. */
export type Matrix = readonly (readonly number[])[];
/**
 * The same result in fewer operations, for schedules that can: two of its axes, the last ones but for `axes`, in square blocks that go
 * through constant matrices. transform: each block is matrix X matrix', X[r, s] being the first of `reads` at [...index of its first
 * element, r, s]. convolution: the block of t x t (`output` has t rows) from [n, o, i, j] on is output Z output', Z the sum over c of, place by
 * place, the second of `reads` at [o, c, p, q] times input X input', X[r, s] being the first at [n, c, i + r, j + s]. kernel: the
 * block of all at [part, o, c] is output Z output', Z the sum over tiles of, place by place, weights Y weights' times input X input';
 * tile number t of `tiles`, images [N, rows, columns] of them in row-major order, is of part t / ceil(N * rows * columns / parts), and
 * Y[r, s] is the second of `reads` at [n, o, i + r, j + s] where it begins, X[r, s] the first at [n, c, i + r, j + s].
 */
export type Blocks<Element = (...index: readonly Expr[]) => Expr> = { readonly reads: readonly Element[] } & (
  | { readonly kind: "transform"; readonly matrix: Matrix; readonly axes: readonly [number, number] }
  | {
      readonly kind: "convolution";
      /** Of each group; c counts through all of them, and o of group g sums over those of g. */
      readonly channels: number;
      readonly groups: number;
      readonly input: Matrix;
      readonly output: Matrix;
    }
  | {
      readonly kind: "kernel";
      readonly tiles: readonly [images: number, rows: number, columns: number];
      readonly input: Matrix;
      readonly weights: Matrix;
      readonly output: Matrix;
    }
);

/** `fold("sum", [C, R, S], (c, r, s) => ...)`. */
export function fold(op: FoldOp, extents: readonly number[], body: (...index: Expr[]) => Expr): Fold {
  const axes = extents.map((extent, i) => ({ name: `k${i}`, extent }));
  return { kind: "fold", op, axes, body: body(...axes.map((a): Expr => ({ kind: "var", type: "i32", lanes: 1, name: a.name }))) };
}

type InputName<N extends string> = N extends `...${infer Rest}` ? Rest : N;
/** Operands by name; a variadic one is a list. */
export type Inputs<I extends readonly string[], T> = {
  readonly [K in I[number] as InputName<K>]: K extends `...${string}` ? readonly T[] : T;
};
export type AttrsOf<A extends Record<string, AttrSpec>> = { readonly [K in keyof A]: A[K] extends AttrSpec<infer T> ? T : never };
/** What a caller writes: attributes with a default may be left out. */
export type GivenAttrs<A extends Record<string, AttrSpec>> = { readonly [K in keyof A]?: AttrsOf<A>[K] };

export interface Rules<I extends readonly string[], A extends Record<string, AttrSpec>> {
  /** Element type and shape of the result; complains with `shapeError`. Layouts of operands are ignored. */
  readonly infer: (inputs: Inputs<I, TensorType>, attrs: AttrsOf<A>) => TensorType;
  /**
   * Derivative of a scalar with respect to each operand, given that with respect to the result; an operand left out has none.
   * zero: the derivative is 0 wherever it exists, or by definition, so that no gradient goes through.
   */
  readonly grad?: "zero" | ((inputs: Inputs<I, Node>, attrs: AttrsOf<A>, y: Node, dy: Node) => Partial<Inputs<I, Node | null>>);
  /** The result at an index, in scalar expressions. */
  readonly lower?: (inputs: Inputs<I, Read>, attrs: AttrsOf<A>, type: TensorType) => (...index: readonly Expr[]) => Expr | Fold;
  /** The same in other operations. */
  readonly decompose?: (inputs: Inputs<I, Node>, attrs: AttrsOf<A>, type: TensorType) => Node;
  /** Floating-point operations per run; default: elements of the result for elementwise, 0 otherwise. */
  readonly flops?: (inputs: Inputs<I, TensorType>, attrs: AttrsOf<A>, type: TensorType) => number;
  /** Operands whose elements are positions, and how many positions there are. */
  readonly positions?: (inputs: Inputs<I, TensorType>, attrs: AttrsOf<A>, type: TensorType) => Partial<Inputs<I, number>>;
  /** Of a contraction; default: no operand has columns. */
  readonly columns?: (inputs: Inputs<I, TensorType>, attrs: AttrsOf<A>) => Columns | null;
  /** Zeros that are read around the first operand, an image: before and after each spatial axis; default: none. */
  readonly halo?: (inputs: Inputs<I, TensorType>, attrs: AttrsOf<A>, type: TensorType) => readonly number[];
}

/** An operation, types erased: what passes see. */
export interface Op {
  readonly schema: Schema;
  readonly infer: (inputs: readonly TensorType[], attrs: Attrs) => TensorType;
  /** In operand order; null: no derivative. The whole is null when the operation has no gradient rule, or is flat. */
  readonly grad: ((node: Node, dy: Node) => readonly (Node | null)[]) | null;
  /** The derivative is zero wherever it exists, or by definition. */
  readonly flat: boolean;
  readonly lower: ((inputs: readonly Read[], attrs: Attrs, type: TensorType) => (...index: readonly Expr[]) => Expr | Fold) | null;
  readonly decompose: ((node: Node) => Node) | null;
  readonly flops: (inputs: readonly TensorType[], attrs: Attrs, type: TensorType) => number;
  /** In operand order: how many positions an operand chooses from; null: its elements are no positions. */
  readonly positions: (node: Node) => readonly (number | null)[];
  readonly columns: (node: Node) => Columns | null;
  readonly halo: (node: Node) => readonly number[];
  /** A node from operands in schema order; attributes are completed from their defaults. */
  readonly make: (inputs: readonly Node[], attrs?: Attrs) => Node;
}
export type CallableOp<I extends readonly string[], A extends Record<string, AttrSpec>> = Op &
  ((inputs: Inputs<I, Node>, attrs?: GivenAttrs<A>) => Node);

export function op<const I extends readonly string[], A extends Record<string, AttrSpec> = Record<never, never>>(
  given: Kind<{ readonly [K in keyof I]: Role }> & {
    readonly name: string;
    readonly inputs: I;
    readonly attrs?: A;
    readonly sameAxes?: true;
  },
) {
  const schema: Schema = { ...given, attrs: given.attrs ?? {} };
  const named = <T>(list: readonly T[]): Inputs<I, T> => nameInputs(schema, list) as Inputs<I, T>;
  const typed = (attrs: Attrs) => attrs as AttrsOf<A>;
  return {
    rules(r: Rules<I, A>): CallableOp<I, A> {
      const { grad } = r;
      const types = (node: Node) => named(node.inputs.map((x) => x.type));
      const make = (inputs: readonly Node[], attrs: Attrs = {}): Node => {
        const full = completeAttrs(schema, attrs);
        const type = r.infer(named(inputs.map((n) => n.type)), typed(full));
        return { op: self, inputs, attrs: full, type, origin: currentOrigin };
      };
      const call = (inputs: Inputs<I, Node>, attrs?: GivenAttrs<A>): Node =>
        make(listInputs(schema, inputs as Record<string, Node | readonly Node[]>), (attrs ?? {}) as Attrs);
      const erased: Op = {
        schema,
        make,
        infer: (inputs, attrs) => r.infer(named(inputs), typed(attrs)),
        grad:
          grad && grad !== "zero"
            ? (node, dy) => listGrads(schema, node, grad(named(node.inputs), typed(node.attrs), node, dy) as Record<string, unknown>)
            : null,
        flat: grad === "zero",
        lower: r.lower ? (inputs, attrs, type) => r.lower!(named(inputs), typed(attrs), type) : null,
        decompose: r.decompose ? (node) => r.decompose!(named(node.inputs), typed(node.attrs), node.type) : null,
        flops: (inputs, attrs, type) =>
          r.flops ? r.flops(named(inputs), typed(attrs), type) : schema.kind === "elementwise" ? type.shape.reduce((n, d) => n * d, 1) : 0,
        positions: (node) => {
          const by = (r.positions?.(types(node), typed(node.attrs), node.type) ?? {}) as Readonly<Record<string, number>>;
          return node.inputs.map((_, i) => by[schema.inputs[i]!] ?? null);
        },
        columns: (node) => r.columns?.(types(node), typed(node.attrs)) ?? null,
        halo: (node) => r.halo?.(types(node), typed(node.attrs), node.type) ?? [],
      };
      const self: CallableOp<I, A> = Object.assign(call, erased);
      return self;
    },
  };
}

const isVariadic = (name: string) => name.startsWith("...");

function nameInputs<T>(schema: Schema, list: readonly T[]): Record<string, T | readonly T[]> {
  const fixed = schema.inputs.filter((n) => !isVariadic(n));
  invariant(list.length >= fixed.length, `${schema.name} takes ${schema.inputs.join(", ")}, got ${list.length} operands`);
  const out: Record<string, T | readonly T[]> = {};
  fixed.forEach((n, i) => {
    out[n] = list[i]!;
  });
  const rest = schema.inputs.find(isVariadic);
  if (rest) out[rest.slice(3)] = list.slice(fixed.length);
  else invariant(list.length === fixed.length, `${schema.name} takes ${fixed.length} operands, got ${list.length}`);
  return out;
}
const listInputs = (schema: Schema, by: Readonly<Record<string, Node | readonly Node[]>>): readonly Node[] =>
  schema.inputs.flatMap((n) => (isVariadic(n) ? (by[n.slice(3)] as readonly Node[]) : [by[n] as Node]));

function listGrads(schema: Schema, node: Node, by: Record<string, unknown>): readonly (Node | null)[] {
  const out = schema.inputs.flatMap((n) =>
    isVariadic(n)
      ? ((by[n.slice(3)] as (Node | null)[] | undefined) ?? node.inputs.slice(schema.inputs.length - 1).map(() => null))
      : [(by[n] as Node | null | undefined) ?? null],
  );
  out.forEach((g, i) => {
    const want = node.inputs[i]!.type;
    invariant(
      g === null || (g.type.shape.join() === want.shape.join() && g.type.dtype === want.dtype),
      `gradient of ${schema.name}, operand ${i}: ${g && printType(g.type)} instead of ${printType(want)}`,
    );
  });
  return out;
}
function completeAttrs(schema: Schema, given: Attrs): Attrs {
  const out: Record<string, Attr> = {};
  for (const [name, spec] of Object.entries(schema.attrs)) {
    const value = given[name] ?? spec.default;
    invariant(value !== undefined, `${schema.name} needs the attribute ${name}`);
    out[name] = value;
  }
  for (const name of Object.keys(given)) invariant(name in schema.attrs, `${schema.name} has no attribute ${name}`);
  return out;
}

/* ---- origin ---------------------------------------------------------------------------------------------------- */

let currentOrigin: Origin | null = null;
/** Nodes made inside `f` come from `origin`; null leaves them without one. Calls nest. */
export function withOrigin<T>(origin: Origin | null, f: () => T): T {
  const before = currentOrigin;
  currentOrigin = origin;
  try {
    return f();
  } finally {
    currentOrigin = before;
  }
}
/** The user's mistake in shapes or element types, at the place that is being elaborated. */
export const shapeError = (message: string, help?: string): never =>
  fail("shape", message, currentOrigin?.span ?? null, help === undefined ? {} : { help });
