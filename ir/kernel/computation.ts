/**
 * Index notation: what one kernel computes, element by element, before anyone has chosen loops. Lowering makes it from a
 * group of graph nodes, a schedule turns it into a kernel.
 */
import type { Blocks, FoldOp } from "../op.ts";
import type { DType, Shape } from "../type.ts";
import type { Buffer, Expr, LoopKind, Stmt } from "./kernel.ts";

/** A value and the variables it needs, in order. */
export interface Evaluated {
  readonly lets: readonly Stmt[];
  readonly value: Expr;
}
export interface FoldAxis {
  readonly name: string;
  readonly extent: number;
}

export type Blockwise = Blocks<(index: readonly Expr[], axes: Axes) => Evaluated>;

export interface Computation {
  readonly name: string;
  /** What is computed, with types, for people and for choices. */
  readonly about: string;
  /** What is read; every buffer once. */
  readonly inputs: readonly Buffer[];
  readonly output: Buffer;
  readonly fold: {
    readonly op: FoldOp;
    readonly axes: readonly FoldAxis[];
    /** What is folded, at a logical index of the output, in terms of the fold axes. */
    readonly term: (index: readonly Expr[], axes: Axes) => Evaluated;
    /** The same without `term`, block by block. */
    readonly blocks: Blockwise | null;
  } | null;
  /** What is stored at a logical index, given the finished fold (null when there is none). */
  readonly finish: (index: readonly Expr[], folded: Expr | null, axes: Axes) => Evaluated;
}

/** What a stage computes. */
export type Body = Pick<Computation, "fold" | "finish">;
/** A value of an earlier stage, at a logical index that the row of the reader has. */
export type StageRead = (index: readonly Expr[]) => Expr;

/**
 * One value of several that a kernel computes row by row, the later ones from the earlier. Some of its axes number the rows, in
 * step with those of the others; the rest run along the row.
 */
export interface Stage {
  readonly type: DType;
  readonly shape: Shape;
  /** Memory, where others than the rows read it; the last stage has one. */
  readonly output: Buffer | null;
  /** Where the row at `place` is; null: along this axis. */
  readonly indexAt: (place: readonly Expr[]) => readonly (Expr | null)[];
  /** `before`: the stages before it, in order. */
  readonly body: (before: readonly StageRead[]) => Body;
}
/** Stages that a kernel works off one after the other for each row. */
export interface RowComputation {
  readonly name: string;
  readonly inputs: readonly Buffer[];
  /** Axes of the last stage that number the rows: a place has an index for each, in this order. */
  readonly across: readonly number[];
  readonly stages: readonly Stage[];
}

/** Hands out names that are unique in a kernel and remembers the extents of axes. */
export interface Axes {
  /** Extents of all axes made so far: axis in [0, extent). */
  readonly ranges: ReadonlyMap<string, number>;
  readonly fresh: (base: string) => string;
  /** Registers an axis under this very name. */
  readonly declare: (axis: FoldAxis) => void;
  /** A loop over a fresh axis; `holds`: as long as that. */
  readonly loop: (kind: LoopKind, base: string, extent: number, body: (i: Expr) => readonly Stmt[], holds?: (i: Expr) => Expr) => Stmt;
}

export function makeAxes(): Axes {
  const ranges = new Map<string, number>();
  const counts = new Map<string, number>();
  const fresh = (base: string): string => {
    const n = counts.get(base) ?? 0;
    counts.set(base, n + 1);
    return n === 0 ? base : `${base}_${n}`;
  };
  return {
    ranges,
    fresh,
    declare: ({ name, extent }) => {
      ranges.set(name, extent);
    },
    loop: (kind, base, extent, body, holds) => {
      const axis = fresh(base);
      ranges.set(axis, extent);
      const i: Expr = { kind: "var", type: "i32", lanes: 1, name: axis };
      return { kind: "for", axis, extent, loop: kind, ...(holds ? { while: holds(i) } : {}), body: body(i) };
    },
  };
}
