/** What an operation says of itself, held against its lowering rule. */
import { expect } from "vitest";
import type { Node } from "../../../ir/graph/graph.ts";
import * as k from "../../../ir/kernel/build.ts";
import type { Expr } from "../../../ir/kernel/kernel.ts";
import type { Fold, Read } from "../../../ir/op.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import { indices } from "./evaluate.ts";
import { compileTape } from "./tape.ts";

interface Reading {
  readonly operand: number;
  readonly padded: boolean;
  readonly index: readonly Expr[];
}
/** The rule at the index i0, i1, ... and every read it makes, over the axes of its fold too. */
function readings(n: Node): { readonly rule: Expr | Fold; readonly reads: readonly Reading[] } {
  const reads: Reading[] = [];
  const operands = n.inputs.map((x, operand): Read => {
    const b = k.buffer(`${operand}`, "in", x.type.shape, null, x.type.dtype);
    const at =
      (padded: boolean) =>
      (...index: readonly Expr[]): Expr => {
        reads.push({ operand, padded, index });
        return k.load(b, ...index);
      };
    return Object.assign(at(false), { padded: at(true), type: x.type });
  });
  return { rule: n.op.lower!(operands, n.attrs, n.type)(...n.type.shape.map((_, a) => k.axis(`i${a}`))), reads };
}
const noMemory = () => {
  throw new Error("an index that depends on elements");
};
/** Every value of an index, for the variables in row-major order. */
function valuesOf(index: Expr, variables: readonly string[], extents: Shape): number[] {
  const tape = compileTape(index, variables, noMemory);
  return Array.from(indices(extents), (at) => tape.run(at));
}

export function checkFacts(n: Node): void {
  const { schema } = n.op;
  if (schema.kind === "view" && (schema.access === "ordered" || schema.access === "permuted")) checkStrided(n, schema.access);
  if (schema.kind === "contraction") checkContraction(n);
  if (schema.sameAxes) for (const x of n.inputs) expect(x.type.shape.length).toBe(n.type.shape.length);
}

/** One operand, at positions that are a sum of steps along each axis; in order where it says so. */
function checkStrided(n: Node, access: "ordered" | "permuted"): void {
  const { reads } = readings(n);
  expect(reads.map((r) => [r.operand, r.padded])).toEqual([[0, false]]);
  const { shape } = n.type;
  const source = n.inputs[0]!.type.shape;
  const names = shape.map((_, a) => `i${a}`);
  const along = reads[0]!.index.map((e) => valuesOf(e, names, shape));
  const positions = Array.from({ length: sizeOf(shape) }, (_, at) => along.reduce((p, values, a) => p * source[a]! + values[at]!, 0));
  const stepAt = (axis: number): number => sizeOf(shape.slice(axis + 1));
  const steps = shape.map((d, a) => (d > 1 ? positions[stepAt(a)]! - positions[0]! : 0));
  const even = Array.from(indices(shape), (index) => index.reduce((p, i, a) => p + i * steps[a]!, positions[0]!));
  expect(positions).toEqual(even);
  const moving = steps.filter((s) => s > 0);
  if (access === "ordered") expect(moving).toEqual([...moving].sort((a, b) => b - a));
}

/** Columns of the second operand are what they are said to become; reads around the first one stay within its halo. */
function checkContraction(n: Node): void {
  const { rule, reads } = readings(n);
  const columns = n.op.columns(n);
  if (columns?.groups === 1) {
    for (const { index } of reads.filter((r) => r.operand === 1)) expect(index[columns.operand]).toEqual(k.axis(`i${columns.result}`));
    expect(n.type.shape[columns.result]).toBe(n.inputs[1]!.type.shape[columns.operand]);
  }
  const halo = n.op.halo(n);
  if (rule.kind !== "fold" || halo.every((h) => h === 0)) return;
  const names = [...n.type.shape.map((_, a) => `i${a}`), ...rule.axes.map((a) => a.name)];
  const extents = [...n.type.shape, ...rule.axes.map((a) => a.extent)];
  const { shape } = n.inputs[0]!.type;
  for (const { index } of reads.filter((r) => r.operand === 0 && r.padded)) {
    index.slice(2).forEach((e, a) => {
      const values = valuesOf(e, names, extents);
      expect(values.reduce((p, v) => Math.min(p, v))).toBeGreaterThanOrEqual(-halo[2 * a]!);
      expect(values.reduce((p, v) => Math.max(p, v))).toBeLessThan(shape[2 + a]! + halo[2 * a + 1]!);
    });
  }
}
