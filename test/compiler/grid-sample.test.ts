/** Gradients of `grid_sample` against differences; its values are compared with onnxruntime's among the recorded nodes. */
import { expect, test } from "vitest";
import { elaborate } from "../../compiler/frontend/elaborate.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { topological } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import { evaluateGraph } from "../ir/ops/evaluate.ts";

const noise = (n: number, phase: number): number[] => Array.from({ length: n }, (_, i) => 1.1 * Math.sin(1.7 * i + phase));
const [x, w] = [noise(2 * 3 * 4, 1), noise(2 * 2 * 3, 3)];
/** Inside and outside, and far from where slopes change. */
const grid = [-1.3, -0.85, -0.2, 0.1, 0.37, 0.72, 0.9, -0.6, 1.37, 1.77, -1.6, 0.45];

function lossAndGradients(how: string) {
  const text = `model M(x: f32[1, 2, 3, 4], grid: f32[1, 2, 3, 2], w: f32[1, 2, 2, 3]) -> loss { loss = sum(grid_sample(x, grid${how}) * w) }`;
  const choice = { model: null, trainBlock: null, dims: {}, batch: null, set: {}, train: false };
  const { forward } = elaborate({ path: "sample", text, resolve: () => null, ...choice });
  const loss = forward.outputs[0]!.value;
  const leaf = (name: string) => topological(forward).find((n) => n.attrs.name === name)!;
  const gradients = ["x", "grid"].map((name) => ({ name, value: ops.gradient({ y: loss, x: leaf(name) }) }));
  const whole = differentiate.run({ ...forward, outputs: [...forward.outputs, ...gradients] });
  return (at: Readonly<Record<string, readonly number[]>>) => evaluateGraph(whole, at).outputs;
}

test.each(["", ', padding="border"', ', padding="reflection"', ', padding="reflection", align_corners=true', ', mode="nearest"'])(
  "%s",
  (how) => {
    const run = lossAndGradients(how);
    const given = { x, grid, w };
    const found = run(given);
    const h = 1e-3;
    for (const name of ["x", "grid"] as const) {
      given[name].forEach((v, i) => {
        const moved = (by: number) => run({ ...given, [name]: given[name].with(i, v + by) }).loss![0]!;
        const slope = (moved(h) - moved(-h)) / (2 * h);
        expect(Math.abs(found[name]![i]! - slope), `${name}[${i}]: ${found[name]![i]}, differences give ${slope}`).toBeLessThan(2e-3);
      });
    }
  },
);
