/** Small sketches: how each idea shows in the text. */
import { expect, test } from "vitest";
import { decompile } from "../../../compiler/decompile/decompile.ts";
import { binary, bool, call, float, int, ints, layer, list, type Sketch, unary, value, word } from "../../../compiler/decompile/sketch.ts";
import { f32, i32, tensor } from "../../../ir/type.ts";
import { checked } from "./checking.ts";
import { type Pen, type Plan, sketchOf } from "./sketching.ts";

const x = { x: f32(2, 8) };
const written = (plan: Partial<Plan>, write: (p: Pen) => Readonly<Record<string, string>>) =>
  checked(sketchOf({ name: "Net", inputs: x, ...plan }, write));
/** The lines of the model's body. */
const body = (text: string): readonly string[] =>
  text
    .slice(text.indexOf("model "))
    .split("\n")
    .slice(1, -2)
    .map((l) => l.trim());
const linear = (p: Pen, v: string, label: string | null, out = 8) => p.layer(label, "Linear", [v, int(out)]);
const relu = (p: Pen, v: string) => p.fn("relu", [v]);
const add = (p: Pen, a: string, b: string) => p.term(binary("+", value(a), value(b)));

test("what is used once flows on; operators are expressions", () => {
  const { text } = written({ doc: "Imported from net.onnx.\n\nBy hand." }, (p) => {
    const a = relu(p, linear(p, "x", "fc1"));
    const b = p.fn("tanh", [linear(p, a, "fc2")]);
    return { y: relu(p, add(p, b, p.term(binary("*", value(a), unary("-", value("x")))))) };
  });
  expect(text).toBe(`## Imported from net.onnx.
##
## By hand.
model Net(x: f32[2, 8]) -> y {
  a = x |> fc1: Linear(8) |> relu
  y = relu((a |> fc2: Linear(8) |> tanh) + a * -x)
}
`);
});

test("a branch that is added to a stream is written as such", () => {
  const { text } = written({}, (p) => {
    const a = linear(p, "x", "fc1");
    return { y: relu(p, add(p, a, p.fn("tanh", [linear(p, relu(p, linear(p, a, "fc2", 4)), "fc3")]))) };
  });
  expect(body(text)).toEqual(["x = x |> fc1: Linear(8)", "a = x |> fc2: Linear(4) |> relu |> fc3: Linear(8) |> tanh", "y = relu(x + a)"]);
});

test("names of inputs and outputs stay, whatever functions are called", () => {
  const inputs = { relu: f32(2, 8), range: f32(2, 8), i: f32(2, 8) };
  const { text } = written({ inputs }, (p) => {
    let v = add(p, relu(p, "relu"), add(p, "range", "i"));
    for (let k = 0; k < 3; k++) v = add(p, v, p.fn("tanh", [linear(p, relu(p, linear(p, v, `block.${k}.a`, 4)), `block.${k}.b`)]));
    return { tanh: v, again: v, i_: p.fn("tanh", ["i"]) };
  });
  expect(text).toContain("const relu_ = relu\nconst range_ = range\n");
  expect(body(text)).toEqual([
    "x = relu_(relu) + (range + i)",
    "for j in range_(3) { x = x |> block.{j}: ResidualBlock }",
    "i_ = tanh(i)",
    "tanh = x",
    "again = x",
  ]);
});

test("outputs get their names where they are computed, whatever the names are good for elsewhere", () => {
  const { text } = written({}, (p) => {
    const [y, at] = p.terms(2, call("top_k", [value("x"), int(3)]));
    return { y: y!, i: at!, state: relu(p, "x"), N: p.fn("tanh", ["x"]) };
  });
  expect(body(text)).toEqual(["y, i = top_k(x, 3)", "state = relu(x)", "N = tanh(x)"]);
});

test("an output that is an input, and one that is a parameter", () => {
  const { text } = written({}, (p) => ({ same: "x", table: p.variable("memory.table", f32(3)), n: p.variable("count", i32()) }));
  expect(body(text)).toEqual([
    "param memory.table as table2: f32[3] = zeros",
    "state count: i32[] = 0",
    "same = x",
    "table = table2",
    "n = count",
  ]);
});

test("a model and layers that are called like what they call", () => {
  expect(written({ name: "Linear" }, (p) => ({ y: linear(p, "x", "fc") })).text).toContain("model LinearModel(");
});

test("labels: other characters are replaced, equal ones get a number, all paths are told", () => {
  const { text, weights, notes } = written({}, (p) => ({
    y: linear(p, linear(p, linear(p, "x", "net/fc-1"), "a.b"), "a.b"),
    z: linear(p, "x", null),
    u: linear(p, "x", "//"),
  }));
  expect([...weights.keys()].filter((k) => k.endsWith("weight"))).toEqual([
    "net_fc_1.weight",
    "a.b.weight",
    "a.b_2.weight",
    "fc1.weight",
    "fc2.weight",
  ]);
  expect(notes).toEqual(["labels that could not stay as they were: a.b is a.b_2"]);
  expect(text).toContain("net_fc_1: Linear(8)");
});

test("what no output depends on is left out", () => {
  const { text, notes } = written({}, (p) => {
    relu(p, linear(p, "x", "unused"));
    return { y: relu(p, "x") };
  });
  expect(body(text)).toEqual(["y = relu(x)"]);
  expect(notes).toEqual(["no output depends on unused: left out"]);
});

test("layers inside of expressions become steps", () => {
  const fc = layer("fc", "Linear", [value("x"), int(4)], { bias: bool(false) });
  const weight = { type: f32(4, 8), data: new Float32Array(32) };
  const sketch: Sketch = {
    name: "Net",
    doc: null,
    inputs: [{ name: "x", type: f32(2, 8) }],
    variables: [],
    steps: [
      { results: ["a"], term: call("relu", [fc]), weights: new Map([["weight", weight]]) },
      { results: ["b"], term: value("a"), weights: new Map() },
    ],
    outputs: [{ name: "y", value: "b" }],
  };
  const { text, weights } = decompile(sketch);
  expect(body(text)).toEqual(["y = x |> fc: Linear(4, bias=false) |> relu"]);
  expect([...weights]).toEqual([["fc.weight", weight]]);
});

test("a block that repeats is a layer in a loop; what differs is a parameter", () => {
  const block = (p: Pen, v: string, k: number, width: number) => {
    const inner = relu(p, linear(p, v, `blocks.${k}.a`, width));
    return add(p, v, p.fn("tanh", [linear(p, p.fn("dropout", [inner, float(0.1)]), `blocks.${k}.b`)]));
  };
  const { text, weights } = written({}, (p) => {
    let v = relu(p, linear(p, "x", "stem"));
    [4, 4, 4, 6, 6].forEach((width, k) => {
      v = block(p, v, k, width);
    });
    return { y: v };
  });
  expect(text).toContain("layer ResidualBlock(x: f32[N, D], width: int) {");
  expect(body(text)).toEqual([
    "x = x |> stem: Linear(8) |> relu",
    "for i in range(3) { x = x |> blocks.{i}: ResidualBlock(4) }",
    "for i in range(3, 5) { x = x |> blocks.{i}: ResidualBlock(6) }",
    "y = x",
  ]);
  expect(weights.has("blocks.4.b.weight")).toBe(true);
});

test("bounds of slices and numbers in operators may be parameters; a function owns no parameters", () => {
  const part = (p: Pen, v: string, from: number) => {
    const half = p.term({
      kind: "index",
      value: value(v),
      items: [{ kind: "all" }, { kind: "slice", from: int(from), to: int(from + 2), step: 1 }],
    });
    const scaled = p.fn("sigmoid", [p.term(binary("*", value(v), float(0.5 + from)))]);
    return p.fn("concat", [list([value(half), value(p.fn("tanh", [scaled]))])], { axis: int(1) });
  };
  const { text } = written({}, (p) => ({ y: part(p, part(p, part(p, "x", 0), 2), 4) }));
  expect(text).toBe(`fn combine(x: f32[N, D], factor1: int, factor2: int, factor3: float) {
  return concat([x[:, factor1:factor2], tanh(sigmoid(x * factor3))], axis=1)
}

model Net(x: f32[2, 8]) -> y {
  x = combine(x, 0, 2, 0.5)
  x = combine(x, 2, 4, 2.5)
  y = combine(x, 4, 6, 4.5)
}
`);
});

test("every second block of another kind: loops of two layers", () => {
  const { text } = written({}, (p) => {
    let v = relu(p, linear(p, "x", "stem"));
    for (let k = 0; k < 8; k++) {
      const inner = p.fn(k % 2 ? "tanh" : "sigmoid", [linear(p, relu(p, linear(p, v, `layers.${k}.a`, 4)), `layers.${k}.b`)]);
      v = add(p, v, inner);
    }
    return { y: linear(p, v, "head") };
  });
  expect(body(text)).toEqual([
    "x = x |> stem: Linear(8) |> relu",
    "for i in range(4) {",
    "x = x |> layers.{2 * i}: ResidualBlock",
    "x = x |> layers.{2 * i + 1}: ResidualBlock2",
    "}",
    "y = x |> head: Linear(8)",
  ]);
});

test("dense connections are a list that grows", () => {
  const { text } = written({}, (p) => {
    const maps = [relu(p, linear(p, "x", "stem"))];
    for (let k = 1; k < 6; k++) {
      const all = k === 1 ? maps[0]! : p.fn("concat", [list(maps.map(value))], { axis: int(1) });
      maps.push(linear(p, relu(p, linear(p, p.fn("tanh", [all]), `dense.layer${k}.a`, 4)), `dense.layer${k}.b`, 4));
    }
    return { y: linear(p, p.fn("concat", [list(maps.map(value))], { axis: int(1) }), "head") };
  });
  expect(body(text)).toEqual([
    "x = x |> stem: Linear(8) |> relu",
    "maps = [x, x |> dense.layer1: LinearBlock]",
    "for i in range(2, 6) { maps += [concat(maps, axis=1) |> dense.layer{i}: LinearBlock] }",
    "y = concat(maps, axis=1) |> head: Linear(8)",
  ]);
});

test("steps in any order: branches are put together again", () => {
  const two = (order: readonly number[]) => {
    const sketch = sketchOf({ name: "Net", inputs: x }, (p) => {
      const a = linear(p, "x", "a1");
      const b = linear(p, "x", "b1");
      const c = linear(p, relu(p, a), "a2");
      const d = linear(p, relu(p, b), "b2");
      return { y: add(p, c, d) };
    });
    return { ...sketch, steps: order.map((i) => sketch.steps[i]!) };
  };
  const tidy = checked(two([0, 2, 3, 1, 4, 5, 6])).text;
  expect(checked(two([0, 1, 2, 3, 4, 5, 6])).text).toBe(tidy);
  expect(checked(two([1, 0, 4, 2, 5, 3, 6])).text).toBe(tidy);
});

test("results that nobody uses are not named", () => {
  const { text } = written({ inputs: { x: f32(1, 4, 8) } }, (p) => {
    const [sequence] = p.terms(2, call("split", [value("x"), int(2)], { axis: int(-1) }));
    return { y: relu(p, sequence!) };
  });
  expect(body(text)[0]).toBe("x, _ = split(x, 2, axis=-1)");
});

test("tables that are not trained are states, whatever their type", () => {
  const { text } = written({}, (p) => ({ y: add(p, add(p, "x", p.variable("offset", f32(8), "state")), p.variable("scale", f32(8))) }));
  expect(body(text)).toEqual(["state offset: f32[8] = zeros", "param scale: f32[8] = zeros", "y = x + offset + scale"]);
});

test("what a pooling gives beside its values for later does not hide what repeats in between", () => {
  const { text } = written({ inputs: { x: f32(1, 4, 8, 8) } }, (p) => {
    const conv = (v: string, label: string) =>
      relu(p, p.layer(`${label}.bn`, "BatchNorm", [p.layer(`${label}.conv`, "Conv2d", [v, int(4)], { kernel: int(1) })]));
    const convs = (v: string, label: string) => [0, 1, 2].reduce((y, k) => conv(y, `${label}.${k}`), v);
    const pool = (v: string) => p.terms(2, call("max_pool", [value(v), int(2)], { return_indices: bool(true) })) as [string, string];
    const [a, outer] = pool(convs("x", "encoder1"));
    const [b, inner] = pool(convs(a, "encoder2"));
    const c = convs(p.fn("max_unpool", [b, inner, int(2)]), "decoder2");
    return { y: p.fn("max_unpool", [convs(c, "decoder1"), outer, int(2)]) };
  });
  expect(body(text)).toEqual([
    "for i in range(3) { x = x |> encoder1.{i}: ConvBlock }",
    "a, b = max_pool(x, 2, return_indices=true)",
    "for i in range(3) { a = a |> encoder2.{i}: ConvBlock }",
    "a, c = max_pool(a, 2, return_indices=true)",
    "a = max_unpool(a, c, 2)",
    "for i in range(3) { a = a |> decoder2.{i}: ConvBlock }",
    "for i in range(3) { a = a |> decoder1.{i}: ConvBlock }",
    "y = max_unpool(a, b, 2)",
  ]);
});

test("a table of several blocks is handed to them by its name", () => {
  const { text } = written({}, (p) => {
    const mask = p.variable("attn.mask", f32(2, 8), "state");
    let v = relu(p, linear(p, "x", "stem"));
    for (let k = 0; k < 4; k++) v = add(p, v, p.fn("tanh", [add(p, relu(p, linear(p, v, `blocks.${k}.a`)), mask)]));
    return { y: v };
  });
  expect(text).toContain("layer ResidualBlock(x: f32[N, D], mask) {");
  expect(body(text)).toContain("for i in range(4) { x = x |> blocks.{i}: ResidualBlock(mask) }");
});

test("blocks differ by what is trained of them", () => {
  const { text } = written({}, (p) => {
    let v = relu(p, linear(p, "x", "stem"));
    for (let k = 0; k < 4; k++) {
      const shift = p.variable(`blocks.${k}.shift`, f32(8), k < 2 ? "param" : "state");
      v = add(p, v, p.fn("tanh", [linear(p, relu(p, add(p, linear(p, v, `blocks.${k}.a`), shift)), `blocks.${k}.b`)]));
    }
    return { y: v };
  });
  expect(text).toContain("param shift: f32[8] = zeros");
  expect(text).toContain("state shift: f32[8] = zeros");
  expect(body(text).slice(1, 3)).toEqual([
    "for i in range(2) { x = x |> blocks.{i}: ResidualBlock }",
    "for i in range(2, 4) { x = x |> blocks.{i}: ResidualBlock2 }",
  ]);
});

test("states of every type", () => {
  const { text } = written({}, (p) => {
    const mask = p.variable("mask", tensor("bool", [2, 8]));
    return { y: p.fn("where", [mask, "x", p.fn("cast", [p.variable("offset", tensor("u8", [8])), word("f32")])]) };
  });
  expect(text).toContain("state mask: bool[2, 8] = false");
  expect(text).toContain("state offset: u8[8] = 0");
});

test("a long sketch takes no longer than its length", () => {
  const sketch = sketchOf({ name: "Net", inputs: { x: f32(1, 4) }, untyped: true }, (p) => {
    let v = "x";
    for (let k = 0; k < 300; k++) v = add(p, v, p.fn("tanh", [relu(p, linear(p, p.fn("permute", [v, ints([0, 1])]), null, 4))]));
    return { y: v };
  });
  expect(checked(sketch).text.split("\n").length).toBeLessThan(12);
});
