/** What ends up in one kernel. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileStages } from "../../../compiler/compile.ts";
import { printKernel } from "../../../ir/kernel/print.ts";

const example = (name: string) => readFileSync(join(import.meta.dirname, "../../../examples", name), "utf8");
const forward = async (source: string, options = {}) => {
  const { lowered } = await compileStages(source, options);
  return lowered.entries.find((e) => e.name === "forward")!.calls.map((c) => lowered.kernels.find((k) => k.name === c.kernel)!);
};

test("convolution, batch normalisation, residual addition and ReLU are one kernel", async () => {
  const kernels = await forward(example("tiny-resnet.dlm"));
  // One kernel for each of the ten convolutions, by blocks where that is less work, one for the image's layout, the pooling and the classifier.
  expect(kernels.map((k) => k.name.replace(/_\d+$/, ""))).toEqual([
    "relayout",
    "conv2d_add_relu",
    "winograd_conv2d_add_relu",
    "winograd_conv2d_add_add_relu",
    "winograd_conv2d_add_relu",
    "winograd_conv2d_add_add_relu",
    "conv2d_add_relu",
    "winograd_conv2d_add",
    "conv2d_add_add_relu",
    "winograd_conv2d_add_relu",
    "winograd_conv2d_add_add_relu",
    "reduce_sum_div",
    "matmul_add",
  ]);
  const residual = printKernel(kernels.find((k) => k.name.startsWith("conv2d_add_add_relu"))!);
  expect(residual).toMatch(/y\[.*\] = max\(.*acc\[.*\] \+ x\d\[.*\] \+ x\d\[.*\].*, 0\.0\)|y\[.*\] = max\(.*, 0\.0\)/);
  expect(residual.match(/fma\(/g)!.length).toBeGreaterThan(0);
});

test("elementwise chains are one kernel, a value read twice is computed once", async () => {
  const kernels = await forward(`model M(x: f32[8, 8]) -> y { z = sigmoid(x) * 2 + 1; y = z * tanh(x) - exp(z) }`);
  expect(kernels.length).toBe(1);
  expect(printKernel(kernels[0]!).match(/var t/g)!.length).toBeGreaterThan(0);
});

test("activations that read a product several times end its kernel", async () => {
  const names = async (then: string) =>
    (await forward(`model M(x: f32[1, 8, 6, 6]) -> y { c = x |> a: Conv2d(8, kernel=1); y = ${then} }`)).map((k) => k.name);
  expect(await names("silu(c)")).toContain("conv2d_add_sigmoid_mul");
  expect((await names("gelu(c)")).filter((n) => /erf/.test(n))).toEqual([expect.stringMatching(/^conv2d_/)]);
  // What the host or another kernel reads as well is stored before.
  expect(await names("silu(c) + max(c)")).toContain("conv2d_add");
  // Of two ends that do not meet none is part of it.
  expect(await names("concat([silu(c), relu(c)], axis=1)")).toContain("conv2d_add");
});

test("what is expensive is not computed again for every element that it is broadcast to", async () => {
  const kernels = await forward(`model M(x: f32[64, 64], s: f32[64]) -> y { y = x * exp(s) }`);
  expect(kernels.map((k) => k.name)).toEqual(["exp", "mul"]);
});

test("transposed weights of a dense layer are packed before prediction, not during it", async () => {
  const { lowered } = await compileStages(`model M(x: f32[4, 32]) -> y { y = x |> fc: Linear(16) }`);
  const names = (entry: string) => lowered.entries.find((e) => e.name === entry)!.calls.map((c) => c.kernel);
  expect(names("forward")).toEqual(["matmul_add"]);
  expect(names("prepare")).toEqual(["relayout"]);
});

test("a chain of thousands of operations is cut into kernels", async () => {
  const steps = 3000;
  const kernels = await forward(`model M(x: f32[4]) -> y { y = x; for i in range(${steps}) { y = sin(y + x) } }`);
  expect(kernels.length).toBeGreaterThan(10);
  expect(kernels.length).toBeLessThan(steps / 10);
});

test("an update is made as soon as nobody reads the old value, so gradients do not pile up", async () => {
  const layers = 12;
  const net = (optimizer: string) => `model M(image: f32[2, 8, 8, 8]) -> y {
    y = image
    for i in range(${layers}) { y = y |> c{i}: Conv2d(8, kernel=3, padding=1) |> relu }
  }
  train M { input t: f32[2, 8, 8, 8]; loss = mse(y, t); optimizer = ${optimizer} }`;
  const arena = async (optimizer: string) => (await compileStages(net(optimizer), { train: true })).program.sizes.arena;
  const [plain, momentum] = [await arena("sgd(lr=0.1)"), await arena("sgd(lr=0.1, momentum=0.9)")];
  const activation = 2 * 8 * 10 * 10 * 4;
  expect(plain).toBeLessThanOrEqual(momentum);
  expect(plain).toBeLessThan((layers + 6) * activation * 2);
});

test("rows of rows of rows are looked up one after the other", async () => {
  const body = "for i in range(12) { next = take(next, next) }";
  const kernels = await forward(`model M(ids: i32[64]) -> y { next = ids * 1; ${body}; y = next }`);
  expect(kernels.length).toBeGreaterThan(10);
});
