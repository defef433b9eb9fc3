/** Every optimizer from source text to compiled code, against PyTorch and NumPy (test/golden/*_optimizers.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../../compiler/compile.ts";
import { load, writeSafetensors } from "../../../runtime/index.ts";
import { bytesOf } from "../../../runtime/safetensors.ts";
import { adapter } from "../../gpu.ts";

interface Variant {
  readonly optimizer: string;
  readonly losses: readonly number[];
  readonly params: Readonly<Record<string, readonly number[]>>;
}
interface Golden {
  readonly x: readonly (readonly number[])[];
  readonly target: readonly (readonly number[])[];
  readonly initial: Readonly<Record<string, { readonly shape: readonly number[]; readonly values: readonly number[] }>>;
  readonly variants: readonly Variant[];
}
const read = (name: string) => JSON.parse(readFileSync(new URL(`goldens/${name}.json`, import.meta.url), "utf8"));
const golden = read("optimizers") as Golden;
const variants = [...golden.variants, ...(read("more-optimizers") as readonly Variant[])];

const source = (optimizer: string) => `
model Net(x: f32[N, 3]) -> y { y = x |> fc1: Linear(5) |> relu |> fc2: Linear(2) }
train Net {
  input target: f32[N, 2]
  loss = mse(y, target)
  optimizer = ${optimizer}
}`;
const weights = writeSafetensors(
  Object.entries(golden.initial).map(([name, { shape, values }]) => ({
    name,
    dtype: "F32",
    shape,
    data: bytesOf(Float32Array.from(values)),
  })),
  {},
);
/** Largest difference relative to the largest value. */
const distance = (actual: ArrayLike<number>, expected: readonly number[]): number => {
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((v, i) => Math.abs(actual[i]! - v))) / scale;
};

async function check({ optimizer, losses, params }: Variant, target: "wasm" | "wgsl"): Promise<void> {
  const gpu = target === "wgsl" ? await adapter() : undefined;
  const program = await compile(source(optimizer), { target, train: true, dims: { N: 4 } });
  const net = await load(program, { weights, ...(gpu ? { gpu } : {}) });
  const seen: number[] = [];
  for (const [i, x] of golden.x.entries()) seen.push((await net.step({ x, target: golden.target[i]! })).loss);
  expect(distance(seen, losses), `losses ${seen}`).toBeLessThan(5e-6);
  for (const { name, values } of await net.parameters())
    expect(distance(values as Float32Array, params[name]!), `${name}: ${values} instead of ${params[name]}`).toBeLessThan(5e-6);
  expect(await net.counters()).toMatchObject({ updates: golden.x.length, micro_step: golden.x.length });
  await net.dispose();
}

test.each(variants)("$optimizer", (variant) => check(variant, "wasm"));

/** One of each operation that the others do not have, so that a software driver has done in seconds. */
const onGpu = ["adagrad(0.1, lr_", "adam(0.1", "nadam()", "rprop()", "rmsprop(lr=cosine", "lion(0.01"];
const gpu = await adapter();
test.skipIf(!gpu).each(variants.filter((v) => onGpu.some((start) => v.optimizer.startsWith(start))))("$optimizer on wgsl", (variant) =>
  check(variant, "wgsl"),
);
