/** One page that proves the whole thing works: text in, a trained model out, the same numbers on every target. */
import { expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { load } from "../runtime/index.ts";
import { adapter } from "./gpu.ts";

const source = `
## A line through points.
model Line(x: f32[N, 1]) -> y { y = x |> fc: Linear(1) }

train Line {
  input target: f32[N, 1]
  loss = mse(y, target)
  optimizer = sgd(lr=0.1, momentum=0.5)
}`;

const x = Float32Array.from([-1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5]);
const target = x.map((v) => 3 * v - 2);
const gpu = await adapter();

test.each(["wasm", "reference", ...(gpu ? ["wgsl" as const] : [])] as const)("%s learns y = 3x - 2", async (name) => {
  const program = await compile(source, { target: name, train: true, dims: { N: 8 } });
  const net = await load(program, { seed: 7, ...(gpu ? { gpu } : {}) });
  const first = await net.step({ x, target });
  for (let i = 0; i < 100; i++) await net.step({ x, target });
  const last = await net.evaluate({ x, target });
  expect(first.loss).toBeGreaterThan(1);
  expect(last.loss).toBeLessThan(1e-6);

  const { y } = await net.run({ x });
  Array.from(y!).forEach((v, i) => void expect(v).toBeCloseTo(target[i]!, 3));

  const again = await load(await compile(source, { dims: { N: 1 } }), { weights: await net.save() });
  const one = await again.run({ x: [10] });
  expect(one.y![0]).toBeCloseTo(28, 1);
  await net.dispose();
  await again.dispose();
});
