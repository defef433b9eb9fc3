/** Names, dimensions, constants, graphs inside of nodes, and what cannot be imported. */
import { describe, expect, test } from "vitest";
import {
  identifierOf,
  isBuffer,
  labelOfNode,
  labelOfParameter,
  modelNameOf,
  variablePath,
} from "../../../../compiler/onnx/import/names.ts";
import { callable } from "../../formats/onnx/build.ts";
import { bodyOf, bools, floats, graph, importCase, ints, list, modelOf, noise, op, problemsOf, run, tensorOf, textOf } from "./support.ts";

const x = noise([2, 3]);

describe("names", () => {
  test("of values", () => {
    expect(["a.b/c:0", "input-1", "1x", ""].map(identifierOf)).toEqual(["a_b_c_0", "input_1", "_1x", "_"]);
  });
  test("of models", () =>
    expect(["resnet18-v1", "squeezenet1.1", "12"].map(modelNameOf)).toEqual(["Resnet18V1", "Squeezenet11", "Model12"]));
  test("of layers, by their parameters and nodes", () => {
    expect(["layer1.0.conv1.weight", "model/dense_1/kernel:0", "conv1_w", "onnx::Conv_497", "123", "weight"].map(labelOfParameter)).toEqual(
      ["layer1.0.conv1", "model.dense_1", "conv1", null, null, null],
    );
    expect(labelOfNode("/layer1/layer1.0/conv1/Conv", "Conv")).toBe("layer1.0.conv1");
    expect(labelOfNode("Conv_12", "Conv")).toBeNull();
    expect(labelOfNode("", "Conv")).toBeNull();
  });
  test("of variables", () =>
    expect(["encoder.pos_embed", "/Constant_3_output_0", "a b"].map(variablePath)).toEqual(["encoder.pos_embed", null, "a_b"]));

  test("of inputs and outputs are kept, as far as the language has them", () => {
    const nodes = [
      op("Add", ["in.1", "in_1"], ["t"]),
      op("Add", ["t", "2x"], ["u"]),
      op("Relu", ["u"], ["relu"]),
      op("Neg", ["relu"], ["true"]),
    ];
    const { sketch } = importCase({ nodes, inputs: { "in.1": x, in_1: x, "2x": x }, outputs: ["relu", "true"] });
    expect(sketch.inputs.map((i) => i.name)).toEqual(["in_1", "in_1_", "_2x"]);
    expect(sketch.outputs.map((o) => o.name)).toEqual(["relu", "true_"]);
  });
  test("a function that is not called may give its name", () => {
    const { sketch } = importCase({ nodes: [op("Relu", ["max"], ["min"])], inputs: { max: x }, outputs: ["min"] });
    expect([sketch.inputs[0]!.name, sketch.outputs[0]!.name]).toEqual(["max", "min"]);
  });
  test("an input that is a result too", () => {
    const y = run({ nodes: [op("Relu", ["x"], ["y"])], inputs: { x }, outputs: ["x", "y"] });
    expect(Object.values(y).map((o) => o.data)).toEqual([x.data, x.data.map((v) => Math.max(0, v))]);
  });
  test("a model does not hide a layer", () => {
    expect(importCase({ nodes: [op("Relu", ["x"], ["y"])], inputs: { x } }, "Linear").sketch.name).toBe("LinearModel");
  });
});

describe("tables of floats that no layer takes", () => {
  const table = noise([2, 3], 4);
  const variables = (nodes: Parameters<typeof importCase>[0]["nodes"], weights: Record<string, typeof x> = {}) =>
    bodyOf({ nodes, inputs: { x }, weights }).filter((l) => /^(param|state) /.test(l));
  const plus = (name: string) => op("Add", ["x", name], ["y"]);

  test("initializers are parameters, constants are states", () => {
    expect(variables([plus("pos_embed")], { pos_embed: table })).toEqual(["param pos_embed: f32[2, 3] = zeros"]);
    expect(variables([op("Constant", [], ["t"], { value: table }), plus("t")])).toEqual(["state table: f32[2, 3] = zeros"]);
  });
  test("what is computed from parameters alone may be trained, what is computed from constants may not", () => {
    const sums = [op("Add", ["t", "t2"], ["s"]), plus("s")];
    const made = [op("Constant", [], ["t"], { value: table }), op("Constant", [], ["t2"], { value: noise([3]) })];
    expect(variables([...made, ...sums])).toEqual(["state table: f32[2, 3] = zeros"]);
    expect(variables([made[0]!, ...sums], { t2: noise([3]) })).toEqual(["param weight: f32[2, 3] = zeros"]);
    const sliced = [op("Slice", ["t3", "from", "to"], ["s"]), plus("s")];
    const bounds = { from: list(1), to: list(3) };
    const halves = op("Max", ["s", "s"], ["m"]);
    expect(variables([sliced[0]!, halves, plus("m")], { ...bounds, t3: noise([3, 3]) })).toEqual(["param weight: f32[2, 3] = zeros"]);
    expect(variables([op("Constant", [], ["t3"], { value: noise([3, 3]) }), ...sliced], bounds)).toEqual([
      "state table: f32[2, 3] = zeros",
    ]);
  });
  test("a table of which a part is added stays whole", () => {
    const sliced = [op("Slice", ["pos", "from", "to"], ["s"]), plus("s")];
    const weights = { from: list(0), to: list(2), pos: noise([5, 3]) };
    expect(bodyOf({ nodes: sliced, inputs: { x }, weights })).toEqual(["param pos: f32[5, 3] = zeros", "y = x + pos[:2]"]);
  });
  test("equal constants are one state; tables that count are not stored", () => {
    const made = ["t", "t2"].map((name) => op("Constant", [], [name], { value: table }));
    expect(variables([...made, op("Add", ["x", "t"], ["s"]), op("Mul", ["s", "t2"], ["y"])])).toEqual(["state table: f32[2, 3] = zeros"]);
    const counted = (...data: number[]) =>
      bodyOf({ nodes: [op("Mul", ["i", "t"], ["y"])], inputs: { i: list(...data) }, weights: { t: list(...data) } });
    expect(counted(0, 1, 2)).toEqual(["y = i * arange(3)"]);
    expect(counted(5, 6, 7, 8)).toEqual(["y = i * arange(5, 9)"]);
    expect(counted(0, 10, 20, 30)).toEqual(["y = i * arange(0, 31, 10)"]);
    expect(counted(0, 10, 20, 31)[0]).toContain("state t: i32[4]");
  });
  test("a layer takes constants as its weights", () => {
    const nodes = [op("Constant", [], ["w"], { value: noise([3, 4]) }), op("MatMul", ["x", "w"], ["y"])];
    expect(bodyOf({ nodes, inputs: { x } })).toEqual(["y = x |> fc1: Linear(4, bias=false)"]);
  });
  test("names of buffers", () => {
    const buffers = [
      "model.rotary.inv_freq",
      "anchors",
      "preprocess/pixel_mean",
      "_tensor_constant3",
      "c_lifted_tensor_0",
      "constant_12",
      "h.0.attn.masked_bias",
      "attn_mask",
    ];
    const others = ["pos_embed", "relative_position_bias_table", "logit_scale", "log_std", "head.mean_query", "weight", "onnx::Add_12"];
    expect(buffers.map(isBuffer)).toEqual(buffers.map(() => true));
    expect(others.map(isBuffer)).toEqual(others.map(() => false));
    expect(variables([plus("net.attn_mask")], { "net.attn_mask": table })).toEqual(["state net.attn_mask as attn_mask: f32[2, 3] = zeros"]);
  });
});

describe("inputs", () => {
  test("dimensions with a name are bound, to 1 where nothing is said", () => {
    const c = { nodes: [op("Relu", ["x"], ["y"])], inputs: { x } };
    const model = modelOf(c);
    const type = { kind: "tensor", dtype: "float", shape: ["N", "T", null, 4] } as const;
    const named = { graph: { ...model.graph, inputs: [{ name: "x", type }] } };
    expect(importCase({ ...c, more: named, dims: { N: 5 } }).sketch.inputs[0]!.type.shape).toEqual([5, 1, 1, 4]);
    expect(() => importCase({ ...c, more: named, dims: { M: 5 } })).toThrow("no input of net.onnx has a dimension `M`");
  });
  test("with a default are weights", () => {
    const model = modelOf({ nodes: [op("Add", ["x", "w"], ["y"])], inputs: { x, w: x }, weights: { w: x } });
    const { sketch } = importCase({ nodes: [], more: { graph: model.graph } });
    expect([sketch.inputs.map((i) => i.name), sketch.variables.map((v) => v.label)]).toEqual([["x"], ["w"]]);
  });
  test("64-bit integers become i32, doubles f32", () => {
    const inputs = { a: { dtype: "double", dims: [2], data: [1.5, 2] } as const, i: list(1, 2) };
    const nodes = [op("Cast", ["i"], ["f"], { to: 11 }), op("Mul", ["a", "f"], ["y"])];
    expect(textOf({ nodes, inputs })).toContain("(a: f32[2], i: i32[2])");
    expect(run({ nodes, inputs }).y!.data).toEqual([1.5, 4]);
  });
  test("that are no tensors of numbers are refused", () => {
    const model = modelOf({ nodes: [op("Relu", ["x"], ["y"])] });
    const words = { name: "x", type: { kind: "tensor", dtype: "string", shape: [1] } } as const;
    expect(() => importCase({ nodes: [], more: { graph: { ...model.graph, inputs: [words] } } })).toThrow(
      'the input "x" has string elements',
    );
  });
});

describe("constants", () => {
  test("shapes that are computed are numbers", () => {
    const nodes = [
      op("Shape", ["x"], ["s"]),
      op("Gather", ["s", "first"], ["n"]),
      op("Unsqueeze", ["n"], ["u"], { axes: [0] }),
      op("Concat", ["u", "rest"], ["to"], { axis: 0 }),
      op("Reshape", ["x", "to"], ["y"]),
    ];
    const weights = { first: ints([], [0]), rest: list(-1, 1) };
    expect(bodyOf({ nodes, inputs: { x }, weights, opset: 11 })).toEqual(["y = unsqueeze(x, 2)"]);
  });
  test("arithmetic on constants is done while importing", () => {
    const nodes = [op("Mul", ["a", "b"], ["c"]), op("ReduceSum", ["c"], ["s"]), op("Add", ["x", "s"], ["y"])];
    const c = { nodes, inputs: { x }, weights: { a: floats([2], [1, 2]), b: floats([2], [3, 4]) } };
    expect(bodyOf(c)).toEqual(["y = x + 11.0"]);
    expect(importCase(c).folded).toBe(2);
  });
  test("a scalar's shape is empty, its size 1", () => {
    const nodes = [
      op("Shape", ["x"], ["s"]),
      op("ReduceProd", ["s"], ["n"], { keepdims: 0 }),
      op("Cast", ["n"], ["f"], { to: 1 }),
      op("Add", ["x", "f"], ["y"]),
    ];
    expect(bodyOf({ nodes, inputs: { x: floats([], [2]) } })).toEqual(["y = x + 1.0"]);
  });
  test("that i32 cannot hold are refused", () => {
    const c = { nodes: [op("Add", ["i", "k"], ["y"])], inputs: { i: list(1) }, weights: { k: list(2 ** 40) } };
    expect(problemsOf(c)[0]!.reason).toContain("1099511627776, which i32 cannot hold");
  });
  const end = Number.MAX_SAFE_INTEGER;
  const plusFolded = (nodes: Parameters<typeof run>[0]["nodes"], weights: Record<string, ReturnType<typeof list>>) =>
    run({ nodes: [...nodes, op("Cast", ["e"], ["f"], { to: 1 }), op("Add", ["x", "f"], ["y"])], inputs: { x: floats([1], [0]) }, weights })
      .y!.data;
  test("whole numbers are exact up to 53 bits, and refused beyond", () => {
    const nodes = [op("Mul", ["m", "k"], ["p"]), op("Div", ["p", "d"], ["e"])];
    expect(plusFolded(nodes, { m: list(100000), k: list(100000), d: list(1000000) })).toEqual([10000]);
    expect(plusFolded([op("ReduceProd", ["m"], ["e"])], { m: list(100000, 100000) })).toEqual([1e10]);
    const large = { nodes: [op("Mul", ["m", "m"], ["p"]), op("Expand", ["x", "p"], ["y"])], inputs: { x }, weights: { m: list(2 ** 31) } };
    expect(problemsOf(large)[0]).toMatchObject({ op: "Mul", trouble: "data", reason: expect.stringContaining("53 bits") });
  });
  test("the ends of 64 bits stay such", () => {
    const sliced = (opType: string, ...more: number[]) =>
      run({
        nodes: [op(opType, ["m", "k"], ["e"]), op("Slice", ["v", "s", "e"], ["y"])],
        inputs: { v: noise([6]) },
        weights: { m: list(end), k: list(...more), s: list(0) },
      }).y!.dims;
    expect(sliced("Min", 3)).toEqual([3]);
    expect(sliced("Mul", 1)).toEqual([6]);
    expect(sliced("Sub", 1)).toEqual([6]);
    expect(plusFolded([op("Equal", ["m", "k"], ["e"])], { m: list(end), k: list(-1) })).toEqual([0]);
    expect(plusFolded([op("Identity", ["m"], ["e"])], { m: list(end) })).toEqual([2 ** 63]);
    expect(() => plusFolded([op("Sub", ["m", "m"], ["e"])], { m: list(end) })).toThrow("53 bits");
  });
  test("integers of 32 bits wrap", () => {
    const word = (...data: number[]) => ({ dtype: "int32", dims: [data.length], data }) as const;
    expect(plusFolded([op("Mul", ["m", "m"], ["e"])], { m: word(100000) })).toEqual([1410065408]);
  });
  test("a parameter that is repeated stays one parameter", () => {
    const cls = noise([1, 1, 24]);
    const token = {
      nodes: [op("Expand", ["cls", "to"], ["t"]), op("Concat", ["t", "v"], ["y"], { axis: 1 })],
      inputs: { v: noise([4, 3, 24]) },
    };
    expect(bodyOf({ ...token, weights: { cls, to: list(4, 1, 24) } })).toEqual([
      "param cls: f32[1, 1, 24] = zeros",
      "y = concat([broadcast(cls, [4, 1, 24]), v], axis=1)",
    ]);
    const once = bodyOf({ ...token, inputs: { v: noise([1, 3, 24]) }, weights: { cls, to: list(1, 1, 24) } });
    expect(once[1]).toBe("y = concat([cls, v], axis=1)");
  });
  test("large tables of one number, and those that count, are calls that make them", () => {
    const full = { nodes: [op("ConstantOfShape", ["to"], ["c"]), op("Add", ["x", "c"], ["y"])], inputs: { x: floats([1], [2]) } };
    expect(textOf({ ...full, weights: { to: list(2 ** 24) } })).toContain("full([16777216], 0.0)");
    const bounds = { a: ints([], [0]), b: ints([], [2 ** 24]), d: ints([], [2]) };
    expect(
      textOf({ nodes: [op("Range", ["a", "b", "d"], ["r"]), op("Add", ["i", "r"], ["y"])], inputs: { i: list(1) }, weights: bounds }),
    ).toContain("arange(0, 16777216, 2)");
    const eye = {
      nodes: [op("EyeLike", ["x"], ["c"]), op("MatMul", ["c", "v"], ["y"])],
      inputs: { x: noise([1, 1]), v: noise([2048, 1]) },
    };
    const square = { ...modelOf(eye).graph.inputs[0]!, type: { kind: "tensor", dtype: "float", shape: [2048, 2048] } } as const;
    expect(textOf({ ...eye, more: { graph: { ...modelOf(eye).graph, inputs: [square, modelOf(eye).graph.inputs[1]!] } } })).toContain(
      "arange(2048)",
    );
  });
  test("what takes long is left to the program", () => {
    const weights = { a: noise([512, 512]), b: noise([512, 512], 2) };
    const c = { nodes: [op("MatMul", ["a", "b"], ["c"]), op("Add", ["x", "c"], ["y"])], inputs: { x: noise([1]) }, weights };
    expect(bodyOf(c).at(-1)).toBe("y = x + a @ b");
  });
  test("random numbers like a constant are made at each run", () => {
    const nodes = [op("RandomNormalLike", ["k"], ["r"]), op("Add", ["x", "r"], ["y"])];
    expect(textOf({ nodes, inputs: { x }, weights: { k: noise([2, 3]) } })).toContain("random_normal([2, 3]");
  });
  test("a long chain of tables that are reshaped by themselves", () => {
    const chain = Array.from({ length: 60 }, (_, i) => op("Reshape", [`t${i}`, `t${i}`], [`t${i + 1}`]));
    expect(bodyOf({ nodes: [...chain, op("Expand", ["v", "t60"], ["y"])], inputs: { v: noise([1]) }, weights: { t0: list(1) } })).toEqual([
      "y = v",
    ]);
  });
  test("numbers are as short as singles allow", () => {
    const c = { nodes: [op("Mul", ["x", "k"], ["y"])], inputs: { x }, weights: { k: floats([], [Math.fround(0.1)]) } };
    expect(bodyOf(c)).toEqual(["y = x * 0.1"]);
  });
  test("as a result", () => {
    const y = run({ nodes: [op("Shape", ["x"], ["y"]), op("Relu", ["x"], ["z"])], inputs: { x }, outputs: ["y", "z"] });
    expect(y.y!.data).toEqual([2, 3]);
  });
});

describe("graphs inside", () => {
  const branch = (opType: string) => graph({ nodes: [op(opType, ["x"], ["out"])], outputs: [{ name: "out", type: null }] });
  const choice = op("If", ["k"], ["y"], { then_branch: branch("Neg"), else_branch: branch("Abs") });
  test("a known condition chooses a branch", () => {
    for (const [k, word] of [
      [1, "y = -x"],
      [0, "y = abs(x)"],
    ] as const)
      expect(bodyOf({ nodes: [choice], inputs: { x }, weights: { k: bools([], [k]) } })).toEqual([word]);
  });
  test("another one is refused", () => {
    expect(problemsOf({ nodes: [choice], inputs: { x, k: bools([], [1]) } })[0]!.reason).toContain("its condition depends");
  });
  test("graphs beside each other may use the same names", () => {
    const inner = (opType: string) =>
      graph({ nodes: [op(opType, ["x"], ["t"]), op("Relu", ["t"], ["u"])], outputs: [{ name: "u", type: null }] });
    const pick = (name: string, yes: string, no: string) => op("If", ["k"], [name], { then_branch: inner(yes), else_branch: inner(no) });
    const nodes = [pick("a", "Neg", "Abs"), pick("b", "Abs", "Neg"), op("Sub", ["a", "b"], ["y"])];
    const y = run({ nodes, inputs: { x }, weights: { k: bools([], [1]) } }).y!;
    expect(y.data).toEqual(x.data.map((v) => Math.max(0, -v) - Math.abs(v)));
  });
  test("a graph inside sees the tables around it, and has its own", () => {
    const weights = [tensorOf("w", floats([3], [1, 2, 3]))];
    const inner = graph({
      nodes: [op("Mul", ["w", "v"], ["t"]), op("Add", ["x", "t"], ["u"])],
      initializers: weights,
      outputs: [{ name: "u", type: null }],
    });
    const node = op("If", ["k"], ["a"], { then_branch: inner, else_branch: inner });
    const c = {
      nodes: [node, op("Add", ["a", "w"], ["y"])],
      inputs: { x },
      weights: { k: bools([], [1]), w: floats([], [100]), v: floats([], [10]) },
    };
    expect(run(c).y!.data).toEqual(x.data.map((v, i) => v + 10 * ((i % 3) + 1) + 100));
  });
  test("calls that become too many nodes are refused", () => {
    const call = (f: string, from: string, to: string) => ({ ...op(f, [from], [to]), domain: "own" });
    const body = (i: number) => (i === 25 ? [op("Relu", ["a"], ["c"])] : [call(`F${i + 1}`, "a", "b"), call(`F${i + 1}`, "b", "c")]);
    const functions = Array.from({ length: 26 }, (_, i) => callable(`F${i}`, { inputs: ["a"], outputs: ["c"], nodes: body(i) }));
    expect(() => importCase({ nodes: [call("F0", "x", "y")], inputs: { x }, more: { functions } })).toThrow("more than 262144 nodes");
  });
  test("functions of the model are written out, with the attributes of the call", () => {
    const leaky = {
      ...op("LeakyRelu", ["a"], ["b"]),
      attributes: [{ name: "alpha", kind: "reference", value: "slope", of: "float" }],
    } as const;
    const f = callable("Twice", { inputs: ["a"], outputs: ["c"], attributes: ["slope"], nodes: [leaky, op("Add", ["b", "b"], ["c"])] });
    const call = { ...op("Twice", ["x"], ["y"], { slope: 0.5 }), domain: "own" };
    const c = { nodes: [call], inputs: { x }, more: { functions: [f] } };
    expect(run(c).y!.data).toEqual(x.data.map((v) => 2 * (v > 0 ? v : 0.5 * v)));
  });
  test("sparse tables", () => {
    const model = modelOf({ nodes: [op("Add", ["x", "s"], ["y"])], inputs: { x } });
    const values = tensorOf("s", floats([2], [10, 20]));
    const sparseInitializers = [{ values, indices: tensorOf("", list(1, 5)), dims: [2, 3] }];
    const y = run({ nodes: [], inputs: { x }, more: { graph: { ...model.graph, sparseInitializers } } }).y!;
    expect(y.data).toEqual(x.data.map((v, i) => Math.fround(v) + (i === 1 ? 10 : i === 5 ? 20 : 0)));
  });
});

describe("what cannot be imported", () => {
  test("is told all at once, without what follows from it", () => {
    const nodes = [
      op("NonMaxSuppression", ["x", "x"], ["a"], {}, "boxes"),
      op("Relu", ["a"], ["b"]),
      op("Det", ["x"], ["c"]),
      op("Add", ["b", "c"], ["y"]),
    ];
    expect(problemsOf({ nodes, inputs: { x } }).map((p) => [p.op, p.node, p.opset])).toEqual([
      ["NonMaxSuppression", 'node 0 "boxes"', 17],
      ["Det", "node 2", 17],
    ]);
  });
  test("attributes that no rule knows", () => {
    expect(problemsOf({ nodes: [op("Relu", ["x"], ["y"], { slope: 3 })], inputs: { x } })[0]!.reason).toBe(
      "its attribute `slope` is not known",
    );
  });
  test("other domains", () => {
    const node = { ...op("Relu", ["x"], ["y"]), domain: "org.example" };
    expect(problemsOf({ nodes: [node], inputs: { x } })[0]!.reason).toContain('the domain "org.example"');
  });
  test("operands that make no sense", () => {
    const reason = (opType: string, weights: Record<string, ReturnType<typeof list>>) =>
      problemsOf({ nodes: [op(opType, ["x", ...Object.keys(weights)], ["y"])], inputs: { x }, weights })[0]!.reason;
    expect(reason("GatherND", { ids: ints([1, 3], [0, 0, 0]) })).toBe("its indices have 3 places for 2 axes");
    expect(reason("Resize", { roi: floats([0], []), scales: floats([1], [2]) })).toBe("it has 1 sizes for 2 axes");
    expect(reason("Reshape", { to: list(4, -1) })).toContain("does not reshape");
    const negative = { nodes: [op("ConstantOfShape", ["s"], ["y"])], weights: { s: list(2, -3) } };
    expect(problemsOf(negative)[0]!.reason).toBe("its shape is [2, -3]");
  });
  test("what is wrong is told apart", () => {
    const trouble = (c: Parameters<typeof problemsOf>[0]) => problemsOf(c)[0]!.trouble;
    expect(trouble({ nodes: [op("Det", ["x"], ["y"])], inputs: { x } })).toBe("unknown");
    expect(trouble({ nodes: [op("MatMul", ["x", "x"], ["y"])], inputs: { x } })).toBe("misfit");
    expect(trouble({ nodes: [op("Add", ["i", "k"], ["y"])], inputs: { i: list(1) }, weights: { k: list(2 ** 40) } })).toBe("data");
  });
  test("shapes that do not fit", () => {
    const c = { nodes: [op("Conv", ["x", "w"], ["y"])], inputs: { x: noise([1, 3, 4, 4]) }, weights: { w: noise([2, 2, 1, 1]) } };
    expect(problemsOf(c)[0]!.reason).toBe("its weight has the shape [2, 2, 1, 1], where its operand needs [2, 3, 1, 1]");
  });
});
