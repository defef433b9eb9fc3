/** Orthonormal rows or columns, in double and in single precision. */
import { describe, expect, test } from "vitest";
import { orthogonal } from "../../../compiler/frontend/elaborate/builtins/orthogonal.ts";
import type { Graph } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import { backends } from "../../ir/ops/backends.ts";
import { evaluateGraph } from "../../ir/ops/evaluate.ts";

function initial(shape: Shape, gain: number): Graph {
  const [seed, counter] = ["seed", "counter"].map((name) => ops.input({}, { name, dtype: "i32", shape: [] }));
  const normal = ops.randomNormal({ seed: seed!, counter: counter! }, { key: 5, shape });
  return { name: "init", inputs: [seed!, counter!], outputs: [{ name: "w", value: orthogonal(shape, normal, gain) }], updates: [] };
}
/** The largest deviation of the products of rows, or of columns where they are fewer, from gain^2 times the identity. */
function deviation(w: ArrayLike<number>, shape: Shape, gain: number): number {
  const [rows, columns] = [shape[0]!, sizeOf(shape.slice(1))];
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const entry = (i: number, j: number) => (rows <= columns ? w[i * columns + j]! : w[j * columns + i]!);
  let worst = 0;
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      let dot = a === b ? -(gain ** 2) : 0;
      for (let j = 0; j < length; j++) dot += entry(a, j) * entry(b, j);
      worst = Math.max(worst, Math.abs(dot));
    }
  }
  return worst;
}

describe("orthogonal", () => {
  test.each([[[1, 1]], [[1, 7]], [[2, 2]], [[5, 5]], [[24, 24]], [[3, 40]], [[12, 5]], [[6, 2, 2, 2]]])("%j", (shape) => {
    for (let seed = 0; seed < 4; seed++) {
      const { w } = evaluateGraph(initial(shape, 1.5), { seed: [seed], counter: [0] }).outputs;
      expect(deviation(w!, shape, 1.5)).toBeLessThan(1e-4);
    }
  });
  test.each(backends.map((b) => [b.name, b] as const))("on %s", async (_, backend) => {
    const { w } = await backend.run(initial([48, 48], 1), { seed: [3], counter: [0] });
    expect(deviation(w!, [48, 48], 1)).toBeLessThan(1e-5);
  });
});
