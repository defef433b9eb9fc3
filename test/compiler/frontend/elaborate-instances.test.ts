import { expect, test } from "vitest";
import { build, headlines, lines, modelOf, names, variables } from "./elaborating.ts";

test("labels make paths", () => {
  const module = build(`
    layer Pair(x: f32[N, C]) { return x |> 0: Linear(C) |> b.{1 + 1}.c: Linear(C) }
    layer Wrap(x) { return x |> _: Pair }
    model M(x: f32[N, 3]) -> y {
      for i, name in enumerate(["a", "b"]) { x = x |> block{i}.{name}: Wrap }
      y = x |> features.0.conv: Pair |> 7: Linear(2, bias=false)
    }`);
  expect(names(module).filter((n) => n.endsWith("weight"))).toEqual([
    "block0.a.0.weight",
    "block0.a.b.2.c.weight",
    "block1.b.0.weight",
    "block1.b.b.2.c.weight",
    "features.0.conv.0.weight",
    "features.0.conv.b.2.c.weight",
    "7.weight",
  ]);
});

test("unlabelled layers are numbered in the source text, then by loop", () => {
  const body = `
    if training { z = x |> Linear(9, bias=false) }
    for i in range(2) { x = x |> Linear(6, bias=false) }
    Block = Linear
    ys = [x |> Block(2, bias=false) for i in range(2) for j in range(2)]
    y = Linear(Linear(x, 5, bias=false), 4, bias=false) |> BatchNorm(affine=false) |> RMSNorm`;
  expect(names(build(modelOf(body)))).toEqual([
    "linear_2.0.weight",
    "linear_2.1.weight",
    "block_1.0.0.weight",
    "block_1.0.1.weight",
    "block_1.1.0.weight",
    "block_1.1.1.weight",
    "linear_4.weight",
    "linear_3.weight",
    "batch_norm_1.running_mean",
    "batch_norm_1.running_var",
    "rms_norm_1.weight",
  ]);
});

test("`use` makes one instance for several applications", () => {
  const module = build(`
    layer Encoder(x: f32[N, C], width: int, act = relu) { return x |> fc: Linear(width) |> act }
    model M(a: f32[N, 3], b: f32[N, 3]) -> y {
      use enc = Encoder(5, act=tanh)
      use h.{1 + 1} as second = Linear(5)
      nets = [second, second]
      p, q = enc(a), b |> enc
      for net in nets { p = net(p) }
      y = p + q @ enc["fc.weight"] @ second.weight[:3]
    }`);
  expect(variables(module)).toEqual(["enc.fc.weight f32[5,3]", "enc.fc.bias f32[5]", "h.2.weight f32[5,5]", "h.2.bias f32[5]"]);
  expect(module.forward.outputs[0]!.value.type.shape).toEqual([1, 5]);
  const uses = lines(module.forward).filter((l) => l.includes("@h.2.weight"));
  expect(uses.filter((l) => l.includes("permute")).length).toBe(2);
});

test("`use`: arguments are given once, at either place", () => {
  const source = (use: string, call: string) =>
    `layer L(a: f32[N, C], k, b: f32[N, C] = none, m = 1) { return a * k * m }\nmodel M(x: f32[2, 3]) -> y { use l = L(${use}); y = ${call} }`;
  build(source("2, 3", "l(x)"));
  build(source("k=2", "l(x, x, 5)"));
  build(source("b=none, k=2, m=3", "l(x)"));
  build(source("", "l(x, x, 5, 6)"));
  expect(headlines(source("2", "l(x, k=3)"))).toEqual(["error[argument]: l gets `k` twice"]);
  expect(headlines(source("2, 3, 4", "l(x)"))).toEqual(["error[argument]: `L` takes 2 positional arguments (k, m), got 3"]);
  expect(headlines(source("2, training=false", "l(x)"))).toEqual(["error[argument]: `training` is given where the instance is applied"]);
});

test("applications of one instance agree on shapes, and labels on their layer", () => {
  const wrong = headlines(`model M(a: f32[2, 3], b: f32[2, 4]) -> y { use l = Linear(5); y = l(a) + l(b) }`);
  expect(wrong).toEqual(["error[shape]: `l.weight` is a param f32[5, 4] here and was a param f32[5, 3] before"]);
  expect(headlines(modelOf("use l = Linear(6)\na = l.weight\ny = l(x)"))).toEqual([
    "error[name]: an instance of `Linear` has no parameter `weight` here",
  ]);
});

test("a path is made at one place", () => {
  const two = (a: string, b: string) => headlines(`layer L(x) { return x |> fc: Linear(6) }\n${modelOf(`a = x |> ${a}\ny = a |> ${b}`)}`);
  expect(two("fc: Linear(6)", "fc: Linear(6)")).toEqual(["error[label]: the label `fc` is used twice"]);
  expect(two("a: L", "a.fc: Linear(6)")).toEqual(["error[label]: two places make the parameter `a.fc.weight`"]);
  expect(two("_: L", "_: L")).toEqual(["error[label]: two places make the parameter `fc.weight`"]);
  expect(headlines(modelOf("for i in range(2) { x = x |> fc: Linear(6) }\ny = x"))).toEqual(["error[label]: the label `fc` is used twice"]);
});

test("param and state: names, `as`, initial values", () => {
  const module = build(
    modelOf(`
    for l in range(2) { param w_{l} as w: f32[6] = normal(0.02); x = x * w }
    state count: i32[] = 3
    param scale: f32[] = 1
    param table: f32[2, 3] = xavier_uniform()
    param own: f32[2, 3] = from_shape
    param direct: f32[3] = cast(arange(3), f32)
    y = x * scale + cast(count, f32) * sum(table) * sum(own) * sum(direct)
    }
    fn from_shape(s) { return random_normal(s) * 0.5`),
  );
  expect(variables(module)).toEqual([
    "w_0 f32[6]",
    "w_1 f32[6]",
    "state count i32[]",
    "scale f32[]",
    "table f32[2,3]",
    "own f32[2,3]",
    "direct f32[3]",
  ]);
  expect(
    module.variables.every((v) => v.initial.type.dtype === v.type.dtype && String(v.initial.type.shape) === String(v.type.shape)),
  ).toBe(true);
  const wrong = (s: string) => headlines(modelOf(`${s}\ny = x`))[0];
  expect(wrong("param w: f32[6] = x[0]")).toBe("error[constant]: the initial value of `w` depends on the input `x`");
  expect(wrong("param w: i32[6] = 0")).toBe("error[type]: a param is trained, so it is f32, not i32");
  expect(wrong("param w: f32[6] = he_normal()")).toBe(
    "error[shape]: he_normal needs at least 2 dimensions to count inputs and outputs, got [6]",
  );
  expect(wrong("param w: f32[q] = 0")).toBe("error[name]: unknown name `q`");
  expect(wrong("param w: f32[0] = 0")).toBe("error[shape]: a dimension is at least 1, got 0");
  expect(wrong("param w: f32[3 / 2] = 0")).toBe("error[type]: a dimension is an int, got the float 1.5");
  expect(wrong("param w: f32[2] = zeros([3])")).toBe("error[shape]: the initial value of `w` is f32[3], declared is f32[2]");
  expect(wrong('param w: f32[2] = "a"')).toBe('error[type]: an initial value is a number or a function of the shape, got the string "a"');
  expect(wrong("param w: f32[2] = orthogonal()")).toBe("error[shape]: orthogonal needs at least 2 dimensions, got [2]");
});

test("initial values and random calls depend on the place alone", () => {
  const keys = (module: ReturnType<typeof build>) =>
    module.variables.map((v) => JSON.stringify(v.initial, (k, x) => (k === "origin" ? undefined : x)));
  const plain = build(modelOf("y = x |> a: Linear(3, bias=false)"));
  const more = build(modelOf("z = x |> b: Linear(3)\nq = dropout(x)\ny = x |> a: Linear(3, bias=false)"));
  expect(keys(plain)[0]).toBe(keys(more).at(-1));
  expect(keys(more)[0]).not.toBe(keys(more).at(-1));
  const randomKeys = (body: string) => [
    ...new Set(lines(build(modelOf(body)).forward).flatMap((l) => /random_uniform.*key=(-?\d+)/.exec(l)?.[1] ?? [])),
  ];
  const once = randomKeys("y = random_uniform([3])");
  expect(randomKeys("z = x |> Linear(3)\nif 1 < 2 { y = random_uniform([3]) }")).toEqual(once);
  expect(randomKeys("y = random_uniform([3]) + random_uniform([3])").length).toBe(2);
  expect(randomKeys("y = sum([random_uniform([3]) for i in range(4)])").length).toBe(4);
  expect(randomKeys("y = x |> a: Noisy |> b: Noisy\n}\nlayer Noisy(x) { return x + random_uniform(x.shape)").length).toBe(2);
  expect(randomKeys("use n = Noisy()\ny = n(n(n(x)))\n}\nlayer Noisy(x) { return x + random_uniform(x.shape)").length).toBe(3);
});
