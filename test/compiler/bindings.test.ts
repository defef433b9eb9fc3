/** Several bindings of dimensions in one program: the same numbers as programs of their own, everything else shared. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type CompileOptions, compile, compileStages } from "../../compiler/compile.ts";
import { CompileError } from "../../ir/diagnostic.ts";
import { load, type Net, type Program, type StepResult } from "../../runtime/index.ts";
import { adapter } from "../gpu.ts";

const lenet = readFileSync(join(import.meta.dirname, "../../examples/lenet.dlm"), "utf8");
const small = { set: { channels: "[2, 3]", hidden: "20" } };
const gpu = await adapter();
const image = (n: number, from = 0): Float32Array => Float32Array.from({ length: n * 784 }, (_, i) => (((i + from) * 7919) % 256) / 255);
const batchOf = (n: number, from = 0) => ({ image: image(n, from), label: Array.from({ length: n }, (_, i) => (i + from) % 10) });

/** Loads, hands to `use`, and frees. */
async function using<T>(program: Program, use: (net: Net) => Promise<T>, options: Parameters<typeof load>[1] = {}): Promise<T> {
  const net = await load(program, { ...options, ...(program.target === "wgsl" && gpu ? { gpu } : {}) });
  try {
    return await use(net);
  } finally {
    await net.dispose();
  }
}
async function mistake(source: string, dims: CompileOptions["dims"], more: CompileOptions = {}): Promise<string> {
  const error = await compile(source, { ...more, dims: dims! }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CompileError);
  return (error as CompileError).message;
}

describe.each(["wasm", "reference", "wgsl"] as const)("%s", (target) => {
  test.skipIf(target === "wgsl" && !gpu)("each binding gives what a program of its own gives, bit for bit", async () => {
    const both = await compile(lenet, { ...small, target, dims: [{ N: 1 }, { N: 4 }] });
    const rows = await using(both, async (net) => [await net.run({ image: image(4) }), await net.run({ image: image(1) })], { seed: 3 });
    for (const [i, n] of [4, 1].entries()) {
      const alone = await compile(lenet, { ...small, target, dims: { N: n } });
      expect(rows[i]).toEqual(await using(alone, (net) => net.run({ image: image(n) }), { seed: 3 }));
      expect(rows[i]!.logits).toHaveLength(10 * n);
    }
  });
});

describe("one program", () => {
  const options: CompileOptions = { ...small, reproducible: true };
  const both = compileStages(lenet, { ...options, dims: [{ N: 1 }, { N: 4 }], train: true });
  const [one, four] = [1, 4].map((N) => compileStages(lenet, { ...options, dims: { N }, train: true }));

  test("has the entries of each binding, variables once, and the larger arena", async () => {
    const [{ program }, a, b] = [await both, (await one!).program, (await four!).program];
    expect(program.entries.map((e) => e.name)).toEqual([
      ...["init", "prepare", "forward", "step", "evaluate"],
      ...["forward_1", "step_1", "evaluate_1"],
    ]);
    expect(program.bindings).toEqual([{ N: 1 }, { N: 4 }]);
    expect(a).not.toHaveProperty("bindings");
    expect(program.variables).toEqual(a.variables);
    for (const region of ["parameters", "optimizer", "prepared", "io", "arena"] as const)
      expect(program.sizes[region], region).toBe(Math.max(a.sizes[region], b.sizes[region]));
  });
  test("has equal kernels once", async () => {
    const [joint, a, b] = await Promise.all([both, one!, four!]);
    const texts = (s: typeof a) => s.lowered.kernels.length;
    expect(texts(joint)).toBeLessThan(texts(a) + texts(b) - 20);
    const bytes = (s: typeof a) => s.program.stats.codeBytes;
    expect(bytes(joint)).toBeLessThan(bytes(a) + bytes(b));
  });
  test("begins with the same bytes as one binding, and both step the same variables", async () => {
    const trained = await using(
      (await both).program,
      async (net) => {
        const initial = await net.checkpoint();
        const losses = [await net.step(batchOf(4)), await net.step(batchOf(1, 4)), await net.step(batchOf(4, 5))];
        return { initial, losses, checkpoint: await net.checkpoint(), score: await net.evaluate(batchOf(1, 9)) };
      },
      { seed: 5 },
    );
    let checkpoint = await using((await one!).program, (net) => net.checkpoint(), { seed: 5 });
    expect(Buffer.compare(trained.initial, checkpoint)).toBe(0);
    const losses: StepResult[] = [];
    for (const [stages, given] of [[four, batchOf(4)] as const, [one, batchOf(1, 4)] as const, [four, batchOf(4, 5)] as const])
      await using(
        (await stages!).program,
        async (net) => {
          losses.push(await net.step(given));
          checkpoint = await net.checkpoint();
        },
        { checkpoint },
      );
    expect(trained.losses).toEqual(losses);
    expect(Buffer.compare(trained.checkpoint, checkpoint)).toBe(0);
    expect(trained.score).toEqual(await using((await one!).program, (net) => net.evaluate(batchOf(1, 9)), { checkpoint }));
  });
  test("on several threads gives the same", async () => {
    const { program } = await both;
    const run = (threads: number) =>
      using(program, async (net) => [await net.run({ image: image(4) }), await net.run({ image: image(1) })], { threads });
    expect(await run(2)).toEqual(await run(1));
  });
  test("refuses inputs that fit no binding, and lists what fits", async () => {
    await using((await both).program, async (net) => {
      await expect(net.run({ image: image(2) })).rejects.toThrow(
        "image has 1568 elements; the inputs are image: f32[1,1,28,28], or image: f32[4,1,28,28]",
      );
      await expect(net.step({ image: image(4), label: [1] })).rejects.toThrow(
        "image has 3136 elements, label has 1 elements; the inputs are",
      );
      await expect(net.run({ picture: image(1) })).rejects.toThrow("unknown input picture");
      await expect(net.run({ image: "seven.png" as never })).rejects.toThrow('image is "seven.png", expected a flat array');
    });
  });
});

test("a value that indexes is checked in the range of its binding", async () => {
  const source = "model M(x: f32[T, 2], at: i32[T]) -> y { y = take(x, at) }";
  const program = await compile(source, { target: "reference", dims: [{ T: 2 }, { T: 3 }] });
  await using(program, async (net) => {
    expect(await net.run({ x: [1, 2, 3, 4, 5, 6], at: [2, 2, 0] })).toEqual({ y: Float32Array.of(5, 6, 5, 6, 1, 2) });
    await expect(net.run({ x: [1, 2, 3, 4], at: [2, 0] })).rejects.toThrow("at[0] is 2, expected 0..1");
  });
});

test("an entry that a dimension does not reach is there once", async () => {
  const source = `model M(x: f32[2]) -> y { y = x |> fc: F }
layer F(x: f32[C]) { param w: f32[C] = ones; return w * x }
train M { input t: f32[K, 2]; loss = mean((y - t) ** 2); optimizer = sgd(lr=0.5) }`;
  const program = await compile(source.replaceAll("; ", "\n"), { target: "reference", train: true, dims: [{ K: 1 }, { K: 2 }] });
  expect(program.entries.map((e) => e.name)).toEqual(["init", "prepare", "forward", "step", "evaluate", "step_1", "evaluate_1"]);
  const losses = await using(program, async (net) => [
    (await net.step({ x: [1, 1], t: [0, 0, 2, 2] })).loss,
    (await net.step({ x: [1, 1], t: [0, 0] })).loss,
    ...(await net.run({ x: [2, 4] })).y!,
  ]);
  expect(losses).toEqual([1, 1, 1, 2]);
});

describe("what bindings must share", () => {
  const scale = (declaration: string, more = "") => `model M(x: f32[N, T]) -> y { y = x |> scale: S }
layer S(x: f32[N, T]) {
  ${declaration}
  return x * reshape(w, [-1, 1])
}
${more}`;
  test("the shape of a parameter", async () => {
    expect(await mistake(scale("param w: f32[N] = ones"), [{ N: 1 }, { N: 64 }])).toBe(
      `error[shape]: \`scale.w\` is a param f32[1] with N=1, but a param f32[64] with N=64: bindings of one program share it
  --> model.dlm:3:3
  3 |   param w: f32[N] = ones
    |   ^^^^^^^^^^^^^^^^^^^^^^
  help: compile a program for each`,
    );
  });
  test("of several dimensions the one that matters is named", async () => {
    const cross = [1, 2].flatMap((N) => [3, 4].map((T) => ({ N, T })));
    expect(await mistake(scale("param w: f32[1] = ones\n  state seen: f32[T] = 0"), cross)).toContain(
      "`scale.seen` is a state f32[3] with T=3, but a state f32[4] with T=4",
    );
  });
  test("whether it is there", async () => {
    const source = scale("param w: f32[1] = ones\n  if N > 1 { param v: f32[2] = zeros }");
    expect(await mistake(source, [{ N: 1 }, { N: 2 }])).toContain("`scale.v` is absent with N=1, but a param f32[2] with N=2");
  });
  test("its initial value", async () => {
    expect(await mistake(scale("param w: f32[1] = normal(std=1 / N)"), [{ N: 1 }, { N: 2 }])).toContain(
      "the initial value of `scale.w` depends on a dimension of which there are several bindings\n  --> model.dlm:3:3",
    );
  });
  test("how it is trained", async () => {
    const train = (settings: string) =>
      scale("param w: f32[1] = ones", `train M {\n  loss = mean(y)\n  optimizer = sgd(lr=0.1)\n  ${settings}\n}`);
    const dims = [{ N: 2 }, { N: 4 }];
    expect(await mistake(train("accumulate = 8 // N"), dims, { train: true })).toContain(
      "`accumulate` is 4 with N=2, but 2 with N=4: bindings are trained together",
    );
    expect(await mistake(train('if N > 2 { freeze "*" }'), dims, { train: true })).toContain(
      "`scale.w` is a param f32[1] with N=2, but a param f32[1], frozen with N=4",
    );
    expect(await mistake(train("if N > 2 { optimizer = adam(lr=0.1) }"), dims, { train: true })).toContain("the optimizer's `scale.w.");
  });
});

describe("the list of bindings", () => {
  const source = 'model M(x: f32[N, T]) -> y {\n  assert N < 10, "too many"\n  y = relu(x)\n}\n';
  test("an error of one of them says which", async () => {
    expect(await mistake(source, [{ N: 1 }, { N: 2, T: 3 }, { N: 12, T: 5 }])).toMatch(
      /error\[assert\]: too many.*note: this is with N=12, T=5/s,
    );
    expect(await mistake(source, [{ N: 12 }, { N: 1 }])).not.toContain("note");
  });
  test("no binding twice, and none that looks like another", async () => {
    expect(await mistake(source, [{ N: 1 }, { T: 1 }])).toContain("error[flag]: the binding N=1, T=1 is given twice");
    expect(
      await mistake(source, [
        { N: 2, T: 6 },
        { N: 4, T: 3 },
      ]),
    ).toContain("error[flag]: inputs do not tell the bindings N=2, T=6 and N=4, T=3 apart: x has 12 elements in both");
  });
  test("at least one, at most 64", async () => {
    const wrong = "expected an object of positive whole numbers, or a list of 1 to 64 such objects";
    const many = Array.from({ length: 65 }, (_, i) => ({ N: i + 1 }));
    for (const dims of [[], many, [1]]) expect(await mistake(source, dims as CompileOptions["dims"])).toContain(wrong);
    expect(await mistake(source, [{ N: 1 }, { N: 0 }])).toContain("`dims[1].N` is 0, expected a positive whole number");
  });
});
